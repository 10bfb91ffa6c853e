"""A form with a file, as the platforms' upload calls take it (RFC 7578)."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

NO_FIELDS: Mapping[str, str] = MappingProxyType({})


def multipart(
    field: str,
    content: bytes,
    *,
    filename: str,
    mime: str,
    fields: Mapping[str, str] = NO_FIELDS,
    with_length: bool = False,
) -> tuple[bytes, str]:
    """The body with *fields* and one file in *field*, and its Content-Type. The same file gives the same bytes. The
    name is quoted as browsers quote it, so that it ends no header. *with_length*: the part tells its `filelength`,
    which WeCom wants."""
    boundary = f"frontdesk-{hashlib.sha256(content).hexdigest()[:32]}"
    told = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    length = f"; filelength={len(content)}" if with_length else ""
    heads = [f'name="{each}"\r\n\r\n{value}\r\n' for each, value in fields.items()]
    heads.append(f'name="{field}"; filename="{told}"{length}\r\nContent-Type: {mime}\r\n\r\n')
    form = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {head}" for head in heads)
    body = form.encode("utf-8", "replace") + content + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"
