"""A real SMTP server for the tests: says READY, then one JSON line for each mail it took."""
import json, ssl, sys, time
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

options = json.loads(sys.argv[1])


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        local = address.split("@")[0]
        if local == "unknown":
            return "550 5.1.1 no such mailbox"
        if local == "busy":
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "name": session.host_name,
            "tls": session.ssl is not None or options.get("implicit") is True,
            "user": session.auth_data.decode() if session.authenticated else None,
            "content": envelope.content.decode("utf-8"),
        }), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.password.decode() == options["password"]
    if good:
        session.auth_data = data.login
    return AuthResult(success=good, handled=False, auth_data=data.login if good else None)


context = None
if "cert" in options:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options["cert"], options["key"])
arguments = {}
if "password" in options:
    arguments = {"authenticator": authenticate, "auth_required": True,
                 "auth_require_tls": not options.get("implicit", False)}
if context is not None:
    if options.get("implicit"):
        arguments["ssl_context"] = context
    else:
        arguments["tls_context"] = context
        arguments["require_starttls"] = True
controller = Controller(Handler(), hostname="127.0.0.1", port=options["port"], **arguments)
controller.start()
print("READY", flush=True)
sys.stdin.read()
controller.stop()
