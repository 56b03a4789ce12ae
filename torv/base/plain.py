"""Plain YAML: files from outside that mean one thing, with the line of everything in them."""

from collections.abc import Sequence
from typing import Any

import yaml


class PlainLoader(yaml.SafeLoader):
    """YAML that means one thing: no aliases (a small file could become a huge value), no twins, no dates."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="an alias", problem_mark=self.get_mark())
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
            raise yaml.MarkedYAMLError(problem="a name stands twice, or is no text", problem_mark=node.start_mark)
        return dict(super().construct_mapping(node, deep))


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in some if tag != "tag:yaml.org,2002:timestamp"]
    for first, some in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Lines:
    """In which line of its file a value stands."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def of(self, path: Sequence[str | int]) -> int:
        """The line of what stands at a path, or of the last thing on the way there; 1 is the first."""
        node, line = self._root, 1
        for part in path:
            found = _step(node, part)
            if found is None:
                break
            node, line = found
        return line


def read_plain(text: str) -> tuple[Any, Lines]:
    """What a file says, and where. Raises yaml.YAMLError, ValueError or RecursionError."""
    loader = PlainLoader(text)
    try:
        node = loader.get_single_node()
        return (None if node is None else loader.construct_document(node)), Lines(node)
    finally:
        loader.dispose()


def _step(node: Any, part: str | int) -> tuple[Any, int] | None:
    """The node one step further down, and the line in which it begins (of a member: its name)."""
    if isinstance(node, yaml.MappingNode):
        pairs = (pair for pair in node.value if pair[0].value == part)
        pair = next(pairs, None)
        return None if pair is None else (pair[1], pair[0].start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None
