"""Asks the server in this container whether it lives: exits with 0, or with 1 and the reason.

A container that is not healthy is replaced by some orchestrators. So a server that is full or leaves stays healthy.

SOCKUDO_HEALTH_URL is where to ask, where it is not plain HTTP on the port of the variable PORT.
"""

import os
import ssl
import sys
import urllib.error
import urllib.request

_URL = os.environ.get("SOCKUDO_HEALTH_URL") or f"http://127.0.0.1:{os.environ.get('PORT') or 6001}/live"

# The certificate is for the name that clients use, and not for this address.
_CONTEXT = ssl.create_default_context()
_CONTEXT.check_hostname = False
_CONTEXT.verify_mode = ssl.CERT_NONE

# A proxy that webhooks use is not asked.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_CONTEXT))

try:
    with _OPENER.open(_URL, timeout=2.5) as answer:
        sys.exit(0 if answer.status == 200 else f"{_URL} answers {answer.status}")
except urllib.error.HTTPError as refusal:
    sys.exit(f"{_URL} answers {refusal.code}: {refusal.read(200).decode(errors='replace')}")
except OSError as error:
    sys.exit(f"{_URL} does not answer: {error}")
