#!/usr/bin/python3
"""Policy files as text that keeps its comments, for setup.sh.

merge BASE LOCAL           prints BASE with those entries of LOCAL whose host (or network) BASE does not have
take FILE KEY NEW_KEY      prints the list KEY of FILE as a policy file of its own, under NEW_KEY
"""

import sys
import textwrap

import yaml


class Listing:
    """A policy file: one mapping with one list of entries, and where in the text they stand."""

    def __init__(self, path, key=None):
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        root = yaml.compose(self.text, Loader=yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode):
            raise SystemExit(f"{path}: not a mapping")
        found = [(k, v) for k, v in root.value if (k.value in ("allow", "block", "agent_networks") if key is None else k.value == key)]
        if not found:
            raise SystemExit(f"{path}: no list '{key or 'allow, block or agent_networks'}'")
        self.name, self.node = found[0][0].value, found[0][1]
        self.key_end = found[0][0].end_mark.index
        is_null = isinstance(self.node, yaml.ScalarNode) and self.node.tag.endswith(":null")
        if not is_null and not isinstance(self.node, yaml.SequenceNode):
            raise SystemExit(f"{path}: '{self.name}' is not a list")
        self.items = [] if is_null else self.node.value

    def entries(self):
        """(host or network, text of the entry) of each, with a fixed indentation."""
        for item in self.items:
            column = item.start_mark.column
            text = self.text[item.start_mark.index:item.end_mark.index].rstrip()
            head, _, rest = text.partition("\n")
            # Comments behind an entry belong to what follows.
            lines = rest.split("\n")
            while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
                lines.pop()
            body = "\n".join(line[column:] if line[:column].isspace() else line for line in lines)
            yield host_of(item), "- " + head + ("\n" + textwrap.indent(body, "  ") if body else "")

    def is_block(self):
        return bool(self.items) and not self.node.flow_style


def host_of(item):
    if isinstance(item, yaml.ScalarNode):
        return item.value
    if isinstance(item, yaml.MappingNode):
        for key, value in item.value:
            if key.value == "host":
                return value.value
    return None


def with_entries(listing, added):
    """The text with entries put behind the last one."""
    lines = "\n".join(added)
    if listing.is_block():
        last = listing.items[-1]
        # A block entry's end mark may stand behind comments: look for its last line that says something.
        end = listing.text[:last.end_mark.index]
        kept = end.rstrip().split("\n")
        while kept[-1].lstrip().startswith("#") or not kept[-1].strip():
            kept.pop()
        end = "\n".join(kept)
        rest_of_line, _, rest = listing.text[len(end):].partition("\n")
        indent = " " * listing.node.start_mark.column
        return f"{end}{rest_of_line}\n{textwrap.indent(lines, indent)}\n{rest}"
    flow = [listing.text[i.start_mark.index:i.end_mark.index] for i in listing.items]
    old = "".join(f"\n  - {text}" for text in flow)
    head, tail = listing.text[:listing.key_end], listing.text[listing.node.end_mark.index:]
    return f"{head}:{old}\n{textwrap.indent(lines, '  ')}{tail if tail.startswith(chr(10)) or not tail else chr(10) + tail.lstrip(' ')}"


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "merge":
        base, local = Listing(sys.argv[2]), Listing(sys.argv[3])
        if base.name != local.name:
            raise SystemExit(f"{sys.argv[3]}: '{local.name}', where '{base.name}' is wanted")
        known = {host for host, _ in base.entries()}
        added = [text for host, text in local.entries() if host not in known]
        made = with_entries(base, added) if added else base.text
    elif len(sys.argv) == 5 and sys.argv[1] == "take":
        entries = [text for _, text in Listing(sys.argv[2], sys.argv[3]).entries()]
        key = sys.argv[4]
        made = f"{key}:\n" + "".join(textwrap.indent(text, "  ") + "\n" for text in entries) if entries else f"{key}: []\n"
    else:
        raise SystemExit(__doc__)
    yaml.safe_load(made)  # what is printed can be read
    sys.stdout.write(made)


if __name__ == "__main__":
    try:
        main()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SystemExit(str(error)) from error
