"""Write ``athena/sample_queries.sql`` into ``template.yaml`` as saved queries of the workgroup.

The text is the same in both; run this after a change of the file. A test tells when it was not.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QUERIES = ROOT / "athena" / "sample_queries.sql"
TEMPLATE = ROOT / "template.yaml"

BEGIN = (
    "  # --- saved queries: written by scripts/named_queries.py from athena/sample_queries.sql\n"
)
END = "  # --- end of saved queries\n"


def read_queries(text: str) -> dict[str, str]:
    """Return each query's text by the title in its ``-- name:`` line."""
    parts = re.split(r"^-- name: (.+)$", text, flags=re.MULTILINE)[1:]
    return {
        title.strip(): body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


def resource(title: str, query: str) -> str:
    """Write one saved query as a resource; its first comment is the description."""
    logical_id = "NamedQuery" + re.sub(r"[^A-Za-z0-9]", "", title.title())
    description = query.splitlines()[0].removeprefix("--").strip()
    return (
        f"  {logical_id}:\n"
        "    Type: AWS::Athena::NamedQuery\n"
        "    Properties:\n"
        f"      Name: {title}\n"
        "      Description: >-\n"
        f"{textwrap.indent(description, ' ' * 8)}\n"
        "      Database: !Ref GlueDatabase\n"
        "      WorkGroup: !Ref AthenaWorkGroup\n"
        "      QueryString: |\n"
        f"{textwrap.indent(query, ' ' * 8)}\n"
    )


def main() -> None:
    """Replace the section of the template."""
    queries = read_queries(QUERIES.read_text(encoding="utf-8"))
    section = "\n".join(resource(title, query) for title, query in queries.items())
    template = TEMPLATE.read_text(encoding="utf-8")
    head, rest = template.split(BEGIN)
    _, tail = rest.split(END)
    TEMPLATE.write_text(f"{head}{BEGIN}{section}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
