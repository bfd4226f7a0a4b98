"""A process that reads a SQLite file as Arrow; `store/arrow.py` starts it.

ADBC brings a SQLite of its own. Of two in one process each would drop the other's locks on the file
when it closes it (https://www.sqlite.org/howtocorrupt.html, 2.2.1), so it gets its own process.

Argument: the file. Standard input: a line for each query, a JSON string. Standard output: for each
an Arrow IPC stream and `END`, without which the stream was cut off.
"""

import json
import signal
import sys
from pathlib import Path

import pyarrow as pa

END = b"end\n"

_BATCH_ROWS = 16_384


def main(file: str) -> None:
    """Answer queries until there are no more."""
    # Not the driver's module `dbapi`: loading it takes as long as reading 400,000 customers.
    import adbc_driver_sqlite
    from adbc_driver_manager import AdbcConnection, AdbcStatement

    # It ends without a word once nobody reads its answers.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    out = sys.stdout.buffer
    options = {adbc_driver_sqlite.StatementOptions.BATCH_ROWS.value: str(_BATCH_ROWS)}
    uri = f"{Path(file).resolve().as_uri()}?mode=ro"
    with adbc_driver_sqlite.connect(uri) as database, AdbcConnection(database) as connection:
        for line in sys.stdin:
            with AdbcStatement(connection) as statement:
                statement.set_options(**options)
                statement.set_sql_query(json.loads(line))
                batches = pa.RecordBatchReader.from_stream(statement.execute_query()[0])
                with pa.ipc.new_stream(out, batches.schema) as writer:
                    for batch in batches:
                        writer.write_batch(batch)
            out.write(END)
            out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
