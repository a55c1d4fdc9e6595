"""Where everything of one local stack is: nothing is written outside of the project's folder."""

from dataclasses import dataclass
from pathlib import Path

from ops.local_stack import LocalFiles
from ops.project import PROJECT_ROOT

EVENTS = PROJECT_ROOT / "events"
SAM_PYTHON = PROJECT_ROOT / ".venv-sam" / "bin" / "python"
EMULATOR_PYTHON = PROJECT_ROOT / ".venv-emulator" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Places(LocalFiles):
    """All files of one local stack."""

    @property
    def previous_demo_json(self) -> Path:
        """The last run's demo.json while this run is not ready; its tokens are reused when they still work."""
        return self.local_dir / "demo.previous.json"

    @property
    def emulator_log(self) -> Path:
        """What the emulator itself prints."""
        return self.local_dir / "emulator.log"

    @property
    def functions_log(self) -> Path:
        """What the functions log, all of them, in order of completion."""
        return self.local_dir / "functions.log"

    @property
    def sam_log(self) -> Path:
        """What `sam build` and `sam deploy` said."""
        return self.local_dir / "sam.log"

    @property
    def state_dir(self) -> Path:
        """The emulator's saved state: API, functions, tables, queues."""
        return self.local_dir / "state"

    @property
    def objects_dir(self) -> Path:
        """The emulator's S3 objects: the deployed archives."""
        return self.local_dir / "s3"

    @property
    def temporary_dir(self) -> Path:
        """Unpacked functions and layers of the running emulator; emptied at each start."""
        return self.local_dir / "tmp"

    @property
    def sam_dir(self) -> Path:
        """`sam build`'s output, cache and settings."""
        return self.local_dir / "sam"

    @property
    def build_dir(self) -> Path:
        """The built functions, layers and template."""
        return self.sam_dir / "build"

    @property
    def built_template(self) -> Path:
        """The template as `sam build` writes it."""
        return self.build_dir / "template.yaml"

    @property
    def deployed_template(self) -> Path:
        """The built template with this stack's values as its defaults."""
        return self.build_dir / "template.local.yaml"
