"""The words of the status page, each with its meaning for a first reader."""

from collections.abc import Mapping

from exporter.model.probes import Failure
from exporter.model.verdicts import Locality, Mode, Reason

MODES: Mapping[Mode, str] = {
    Mode.BLACKOUT: "Nobody answers the clients in this cluster.",
    Mode.DEGRADED: "Several clusters are right, and some answers lead to one that does not reply.",
    Mode.MIXED: "Local and remote answers alternate although only one of them is right.",
    Mode.FAILOVER: "Another cluster serves although this cluster exports the service.",
    Mode.UNKNOWN: "There are too few fresh probes, or the answered address identifies no cluster.",
    Mode.REMOTE: "Another cluster serves, and this cluster does not export the service.",
    Mode.LOCAL: "This cluster serves its own clients.",
}
LOCALITIES: Mapping[Locality, str] = {
    Locality.LOCAL: "The client's own cluster served the request.",
    Locality.FAILOVER: "The client's cluster exports the service, and was not ready.",
    Locality.LEAK: "The client's cluster was ready, and still the request came here.",
    Locality.PINNED: "The client asked for this cluster by its pinned name.",
    Locality.SPREAD: "The name server prefers no cluster, so crossing is by design.",
    Locality.REMOTE: "The client's cluster does not export the service, so it had to cross.",
    Locality.EXTERNAL: "The client's address belongs to no cluster.",
    Locality.UNKNOWN: "The address is not valid, or it is not known who was ready at that time.",
}
REASONS: Mapping[Reason, str] = {
    Reason.READINESS: "A cluster became ready or not ready.",
    Reason.CONNECTION: "A tunnel came or went.",
    Reason.EXPORT: "A cluster began to export the service.",
    Reason.UNEXPORT: "A cluster stopped exporting the service.",
    Reason.UNKNOWN: "No change in the inventory explains the move.",
}
FAILURES: Mapping[Failure, str] = {
    Failure.TIMEOUT: "No name server answered in time.",
    Failure.NXDOMAIN: "The name server says that the name does not exist.",
    Failure.NODATA: "The name exists, and has no address: no cluster is ready and connected.",
    Failure.SERVFAIL: "The name server failed.",
    Failure.REFUSED: "The name server refused the question.",
    Failure.NOTIMP: "The name server does not know this kind of question.",
    Failure.NOTZONE: "The name server says that the name is not in its zone.",
    Failure.RCODE: "The name server answered with another error code.",
    Failure.TRUNCATED: "The answer was cut over UDP, and TCP gave no whole one.",
    Failure.MALFORMED: "The answer of the name server could not be read.",
    Failure.CNAME_LOOP: "The answer is an alias that leads back to itself.",
    Failure.SRV_MISMATCH: "SRV records name another host, or a port that the service lacks.",
    Failure.WRONG_ANSWER: "Answers came, but none to the question.",
    Failure.UNREACHABLE: "No question could be sent to any name server.",
    Failure.NO_PORT: "The service has no port to ask.",
    Failure.CONNECT_TIMEOUT: "The address did not accept a connection in time.",
    Failure.CONNECT_REFUSED: "Nobody listens on the port of the address.",
    Failure.CONNECT_UNREACHABLE: "There is no route to the address.",
    Failure.TLS_TIMEOUT: "The TLS handshake did not end in time.",
    Failure.TLS_FAILED: "The two sides could not agree on TLS, or the certificate is not trusted.",
    Failure.TLS_EXPIRED: "The certificate is past its end.",
    Failure.REPLY_TIMEOUT: "The reply did not come in time.",
    Failure.REPLY_EMPTY: "The connection ended before the reply began.",
    Failure.REPLY_CLOSED: "The connection ended in the head of the reply.",
    Failure.REPLY_CUT: "The connection ended in the body of the reply.",
    Failure.REPLY_MALFORMED: "The reply was not HTTP.",
    Failure.REPLY_TOO_LARGE: "The head of the reply was too long.",
    Failure.REPLY_STATUS: "The reply had a status that is not expected.",
    Failure.REPLY_BODY: "The body of the reply is not what is expected.",
    Failure.REPLY_REDIRECT: "The reply leads to another host, or was one redirect too many.",
    Failure.RESOURCE: "The exporter ran out of descriptors, ports or buffers. Nobody is judged.",
}
TERMS: Mapping[str, str] = {
    "serving": "The cluster that serves the clients of this cluster, confirmed by probes.",
    "export": "Whether a ServiceExport of the service exists in the cluster.",
    "ready": "Whether the cluster has at least one ready endpoint of the service.",
    "tunnel": "Whether the gateway here reports a live tunnel to the cluster.",
    "standby": "A cluster that would serve if the current one stopped: exported, ready, connected, "
    "and its pinned name answers.",
    "pinned name": "The name with a cluster in front, which leads to that cluster only.",
    "locality": "Where a client came from, and whether it should have been served here.",
    "5xx": "Requests that the server answered with an error of its own.",
    "new answer after": "Time from the cause to the first answer that names the new cluster.",
    "served after": "Time from the cause to the first good reply of the new cluster.",
    "outage": "Time from the first failed probe to the first good reply; 0 if no probe failed.",
    "accuracy": "How far a duration may be off: gaps between probes, and a cause seen late.",
    "TTL": "How long clients may keep the answer.",
}
"""Headings and terms; each is in the glossary of the documentation, too."""
