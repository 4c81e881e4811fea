"""`python -m ferryman_server.fetch`: what the init container runs."""

import os
import sys
import traceback
from pathlib import Path

from ferryman_server import log, reason, secrecy
from ferryman_server import settings as contract
from ferryman_server.fetch import run


def main() -> int:
    """Fetch, or leave the reason in the termination log."""
    termination_log = Path(os.environ.get("FERRYMAN_TERMINATION_LOG") or "/dev/termination-log")
    try:
        run.run(contract.from_environment(os.environ))
    except reason.FatalError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - the last door: whatever it was, the operator must be told
        sys.stderr.write(secrecy.redacted(traceback.format_exc()))
        failure = reason.FatalError(
            reason.Reason.ARTIFACT_UNREACHABLE,
            f"Fetching {os.environ.get('FERRYMAN_MODEL_URI', '').partition('?')[0]} failed unexpectedly "
            f"({type(error).__name__}: {reason.first_line(error)}); see the log of the init container.",
        )
    else:
        return 0
    log.line(str(failure))
    reason.publish(failure, termination_log)
    return 1


if __name__ == "__main__":
    sys.exit(main())
