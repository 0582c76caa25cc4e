"""Signs claims with PyJWT for `node/tokens/generate.mjs`: a list on standard input, the tokens on standard output."""

import json
import sys

import jwt

asked = json.load(sys.stdin)
json.dump([jwt.encode(one["claims"], one["pem"], one["alg"], one["headers"]) for one in asked], sys.stdout)
