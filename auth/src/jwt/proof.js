const encode = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const json = (value) => encode(new TextEncoder().encode(JSON.stringify(value)));

// `keys` comes from crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
// the thumbprint of its public half went to the issuer when the token was asked for.
async function prove(keys, { token, sid, htu, nsp }) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", keys.publicKey);
  const ath = encode(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
  const iat = Math.floor(Date.now() / 1000);
  const header = { typ: "sio-pop+jwt", alg: "ES256", jwk: { kty, crv, x, y } };
  const signed = `${json(header)}.${json({ sid, htu, nsp, ath, iat })}`;
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, keys.privateKey, new TextEncoder().encode(signed));
  return `${signed}.${encode(signature)}`;
}

// const socket = io("https://chat.example/", {
//   auth: async (send) => {
//     const token = await freshToken();
//     const htu = "https://chat.example/socket.io/";
//     const proof = await prove(keys, { token, sid: socket.io.engine.id, htu, nsp: "/" });
//     send({ token, proof });
//   },
// });
