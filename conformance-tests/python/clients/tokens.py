"""JSON Web Tokens that profile `auth` accepts, signed by hand."""

import base64
import hashlib
import hmac
import json
import os
import time


def now():
    """Now, as tokens count."""
    return int(time.time())


def token(sub, secret=None, header=None, **claims):
    """A good token of `sub` for ten minutes, apart from what the other arguments change."""
    secret = secret or os.environ["JWT_SECRET"]
    header = {"alg": "HS256", "typ": "JWT", **(header or {})}
    claims = {
        "sub": sub,
        "aud": "fixture",
        "iss": "https://issuer.example",
        "iat": now(),
        "exp": now() + 600,
        **claims,
    }
    text = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}"
    return f"{text}.{_part(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))}"


def _part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
