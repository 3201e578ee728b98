"""A boto3 session that talks to the local pipeline and to nothing else."""

from typing import Any

import boto3
import botocore.session
from botocore.config import Config

ACCESS_KEY = "test"
SECRET_KEY = "test"  # noqa: S105 - the emulator takes any; a real key must never get here
ACCOUNT_ID = "000000000000"

_IGNORE_THE_MACHINE = {
    # (name in the config file, environment variable, value, conversion): no profile and no config
    # file of the machine's owner may lead a local call elsewhere, or stop it.
    "profile": (None, None, None, None),
    "config_file": (None, None, "/dev/null", None),
    "credentials_file": (None, None, "/dev/null", None),
    "ignore_configured_endpoint_urls": (None, None, True, None),
}


class LocalSession(boto3.Session):
    """A session whose clients all go to one endpoint, with placeholder credentials."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        super().__init__(
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=region,
            botocore_session=botocore.session.Session(session_vars=_IGNORE_THE_MACHINE),
        )
        self._endpoint_url = endpoint_url

    def client(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - one of 400 client types
        return super().client(*args, **self._local(kwargs))

    def resource(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as above
        return super().resource(*args, **self._local(kwargs))

    def _local(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        # An empty mapping of proxies, unlike None, also keeps HTTP_PROXY of the environment out.
        loopback = Config(
            proxies={},
            s3={"addressing_style": "path"},
            inject_host_prefix=False,
            tcp_keepalive=True,
        )
        config = kwargs.pop("config", None)
        merged = loopback.merge(config) if config is not None else loopback
        return {"endpoint_url": self._endpoint_url, **kwargs, "config": merged}
