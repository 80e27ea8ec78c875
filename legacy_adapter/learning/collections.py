"""The names of the monolith's collections for learning."""

from typing import Final

MODULES: Final = "module"
CONTENTS: Final = "content"
COMPONENTS: Final = "component"
VALIDATORS: Final = "validator"
SUBMISSIONS: Final = "submissions"
