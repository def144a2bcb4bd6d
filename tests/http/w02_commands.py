"""The commands that work on a data folder no server has open: verify, backup, compact."""

import os
import time

import backups
import formats
from session import Skipped

np = formats.np


def size_of(data):
    return sum(os.path.getsize(os.path.join(data, name)) for name in os.listdir(data) if name.endswith(".mdb"))


def damage(data):
    """One bit of a stored tensor."""
    with open(os.path.join(data, "bulk.mdb"), "r+b") as file:
        content = file.read()
        at = content.index(np.arange(5000, 5100, dtype="<f4").tobytes())
        file.seek(at)
        file.write(bytes([content[at] ^ 1]))


def test_verify_says_what_it_finds(s):
    with s.other_server() as other:
        data = other.server.data
        backups.fill(other)
        backups.refuses(s, "in use by process", "verify", data=data)
        other.stop()
        said = backups.works(s, "verify", data=data)
        assert b"all well" in said, said
        damage(data)
        said = backups.refuses(s, "the check found", "verify", data=data)
        assert b"is damaged" in said, said
        file = os.path.join(other.server.root, "damaged.backup")
        backups.refuses(s, "is damaged", "backup", file, data=data)
        assert not os.path.exists(file) and not os.path.exists(file + ".partial")
        backups.refuses(s, "is damaged", "compact", data=data)
        other.restart()
        assert other.value("small") == [1, 2, 3], "what is not damaged is still served"


def test_compact_gives_space_back_and_changes_nothing_else(s):
    with s.other_server() as other:
        data = other.server.data
        backups.fill(other)
        other.put_npy("gone", np.arange(5_000_000, dtype="<f4"))
        other.delete("variables/gone").expect(200)
        revision = other.tick()
        before = backups.everything(other)
        other.stop()
        size = size_of(data)
        backups.works(s, "compact", data=data)
        assert size_of(data) < size - 15_000_000, (size, size_of(data))
        assert b"all well" in backups.works(s, "verify", data=data)
        other.restart()
        assert backups.everything(other) == before
        assert other.assign("small", [4, 5, 6]).revision == revision + 1
        other.restart()
        assert other.value("small") == [4, 5, 6]


def test_compact_and_restore_may_be_killed_at_any_moment(s):
    with s.other_server() as other:
        data = other.server.data
        backups.fill(other)
        before = backups.everything(other)
        other.stop()
        begun = time.monotonic()
        backups.works(s, "compact", data=data)
        whole = time.monotonic() - begun
        kills = sum(backups.killed(s, whole * part / 16, "compact", data=data) for part in range(16))
        assert kills > 0, "never killed"
        assert b"all well" in backups.works(s, "verify", data=data)
        file = os.path.join(other.server.root, "b")
        backups.works(s, "backup", file, data=data)
        target = os.path.join(other.server.root, "target")
        for part in range(8):
            backups.killed(s, whole * part / 8, "restore-backup", file, data=target)
            names = set(os.listdir(target)) if os.path.exists(target) else set()
            # All of it, or what the next try takes away.
            if names <= {"lock", "load"}:
                continue
            assert b"all well" in backups.works(s, "verify", data=target)
            os.rename(target, f"{target}{part}")
        os.rename(data, data + ".old")
        backups.works(s, "restore-backup", file, data=data)
        other.restart()
        assert backups.everything(other) == before


def test_a_backup_of_a_folder_goes_through_pipes_and_over_no_file(s):
    with s.other_server() as other:
        data = other.server.data
        backups.fill(other)
        before = backups.everything(other)
        other.stop()
        file = os.path.join(other.server.root, "b")
        assert b"revision" in backups.works(s, "backup", file, data=data)
        backups.refuses(s, "is there already", "backup", file, data=data)
        with open(file, "rb") as whole:
            content = whole.read()
        piped = backups.works(s, "backup", "-", data=data)
        assert len(piped) == len(content)
        os.rename(data, data + ".old")
        backups.works(s, "restore-backup", "-", data=data, input_bytes=piped)
        backups.refuses(s, "is not empty", "restore-backup", file, data=data)
        other.restart()
        assert backups.everything(other) == before


def test_root_leaves_a_data_folder_to_the_user_it_belongs_to(s):
    if os.geteuid() != 0:
        raise Skipped("only root works for others")
    user = 65534
    # the leak check of the address sanitizer cannot look into a process that has changed its user
    unchecked = {"environment": {"ASAN_OPTIONS": "detect_leaks=0"}}

    def is_its_users(data):
        owners = {name: os.stat(os.path.join(data, name)).st_uid for name in os.listdir(data)}
        assert set(owners.values()) == {user}, owners

    with s.other_server() as other:
        data, root = other.server.data, other.server.root
        backups.fill(other)
        before = backups.everything(other)
        other.stop()
        os.chmod(root, 0o711)
        for name in os.listdir(data):
            os.chown(os.path.join(data, name), user, user)
            if name.endswith(".mdb-lock"):
                os.unlink(os.path.join(data, name))
        os.chown(data, user, user)
        backups.works(s, "verify", data=data, **unchecked)
        is_its_users(data)
        file = os.path.join(root, "b")
        backups.works(s, "backup", file, data=data, **unchecked)
        assert os.stat(file).st_uid == 0, "the backup is of who asked for it"
        backups.works(s, "compact", data=data, **unchecked)
        is_its_users(data)
        for name in os.listdir(data):
            os.unlink(os.path.join(data, name))
        backups.works(s, "restore-backup", file, data=data, **unchecked)
        is_its_users(data)
        os.chown(data, 0, 0)
        other.restart()
        assert backups.everything(other) == before


def test_commands_make_no_store_where_there_is_none(s):
    data = os.path.join(s.server.root, "not there")
    for words in (("verify",), ("compact",), ("backup", os.path.join(s.server.root, "b.none"))):
        backups.refuses(s, "there is no store", *words, data=data)
    assert not os.path.exists(data)


def test_commands_that_are_none(s):
    backups.refuses(s, "did you mean 'verify'", "verfy")
    backups.refuses(s, "there is no command 'frobnicate'", "frobnicate")
    backups.refuses(s, "usage: tensorkeep restore-backup FILE", "restore-backup")
    backups.refuses(s, "usage: tensorkeep backup FILE", "backup", "--data", "x")
    backups.refuses(s, "there is no setting", "verify", "--dta", "x")
    said = backups.works(s, "verify", "--help")
    for name in (b"restore-backup FILE", b"compact", b"--data"):
        assert name in said, said
