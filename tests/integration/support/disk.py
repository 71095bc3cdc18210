"""A leash on a disk that fails, or loses power, when it is told to (tests/support/faulty_disk.c)."""

import os

from .leash import BUILD, Leash

DISK = BUILD / "tests" / "support" / "faulty_disk.so"


class DiskLeash(Leash):
    """On a disk that fails when it is told to."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        # Where leash lets itself write.
        self.fault = self.log_dir / ".disk" / "fault"
        self.image = self.log_dir / ".disk" / "image"
        self.image.mkdir(parents=True, exist_ok=True)

    def command_line(self):
        return ["env", f"LD_PRELOAD={DISK}", f"DISK_DIR={self.log_dir}", f"DISK_FAULT={self.fault}",
                f"DISK_IMAGE={self.image}"] + super().command_line()

    def set_fault(self, what):
        new = self.fault.with_suffix(".new")
        new.write_text(what)
        os.replace(new, self.fault)

    def heal(self):
        self.fault.unlink()

    def surviving(self):
        """The files of the log as a power cut now would leave them: name -> bytes."""
        names = self.image / "names"
        if not names.exists():
            return {}
        found = {}
        for line in names.read_text().splitlines():
            name, inode = line.rsplit(" ", 1)
            kept = self.image / inode
            found[name] = kept.read_bytes() if kept.exists() else b""
        return found
