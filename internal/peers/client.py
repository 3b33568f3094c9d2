"""An XMPP client on Debian's python3-slixmpp, driven line by line.

  client.py HOST PORT JID PASSWORD

Each stanza that it receives is one line of JSON on standard output. Each line of JSON
on standard input is a command: {"xml": "<message .../>"} sends a stanza as it stands.
It ends with its standard input.
"""
import asyncio
import json
import os
import sys

import slixmpp

host, port, jid, password = sys.argv[1:5]
NS_STANZAS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


def report(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def show(stanza):
    """Reports a stanza and hands it on."""
    if stanza.name not in ("message", "presence", "iq"):
        return stanza
    xml = stanza.xml
    fields = {k: xml.get(k, "") for k in ("from", "to", "type", "id")}
    for child in xml:
        tag = child.tag.split("}")[-1]
        if tag == "body":
            fields["body"] = child.text or ""
        if tag == "received":
            fields["received"] = child.get("id", "")
        if tag == "error":
            fields["error_type"] = child.get("type", "")
            for part in child:
                if part.tag == NS_STANZAS + "text":
                    fields["text"] = part.text or ""
                elif part.tag.startswith(NS_STANZAS):
                    fields["condition"] = part.tag[len(NS_STANZAS):]
    report(stanza.name, xml=str(stanza), **fields)
    return stanza


class Client(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__(jid, password)
        for plugin in ("xep_0030", "xep_0199", "xep_0280"):
            self.register_plugin(plugin)
        self["feature_mechanisms"].unencrypted_scram = True
        self.add_filter("in", show)
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("failed_auth", lambda e: report("failed_auth"))
        self.add_event_handler("disconnected", lambda e: report("disconnected"))

    async def begin(self, _):
        await self.get_roster()
        self.send_presence()
        report("ready", to=str(self.boundjid))
        asyncio.ensure_future(self.commands())

    async def commands(self):
        loop = asyncio.get_running_loop()
        while True:
            line = await loop.run_in_executor(None, sys.stdin.readline)
            if not line:
                os._exit(0)
            self.send_raw(json.loads(line)["xml"])


client = Client()
client.connect((host, int(port)), disable_starttls=True, force_starttls=False, use_ssl=False)
client.process(forever=True)
