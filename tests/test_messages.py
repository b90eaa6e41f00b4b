"""What the package tells its users."""

import ast
import re
from pathlib import Path

import snn_synth

FILES = sorted(Path(snn_synth.__file__).parent.rglob("*.py"))


def raised(tree):
    """The text of each `raise InputError(...)`, and of what is warned of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and re.search("Error|warn", ast.unparse(node.func)):
            parts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            yield node.lineno, " ".join(part for part in parts if isinstance(part, str))


def test_no_message_advises_to_delete_what_a_user_made():
    advice = re.compile(r"\b(delete|remove|erase|rm|unlink|throw away|clear out)\b", re.IGNORECASE)
    messages = [(file.name, *message) for file in FILES for message in raised(ast.parse(file.read_text()))]
    assert len(messages) > 200
    assert not [message for message in messages if advice.search(message[2])]
