#!/usr/bin/env bash
# tensorkeep(1), from what the program says of itself: docker/package/manual.sh PROGRAM
set -euo pipefail

escape() {
    sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\\([.']\\)/\\\\\\&\\1/"
}

version=$("$1" --version | cut -d' ' -f2)
cat <<HEAD
.TH TENSORKEEP 1 "" "tensorkeep $version" "User commands"
.SH NAME
tensorkeep \\- model state behind plain HTTP
.SH SYNOPSIS
.B tensorkeep
.RI [ COMMAND " [" OPERAND ]]
.RB [ \\-\\-name
.IR VALUE ]\\ ...
.SH DESCRIPTION
Keeps TensorFlow's variables and checkpoints and serves them over HTTP. Every write is one durable, atomic commit.
Without a command it serves until SIGTERM. SIGHUP has it read tokens and certificates again.
.SH COMMANDS AND SETTINGS
.nf
HEAD
"$1" --help | sed -n '/^Without a command/,$p' | escape
cat <<'TAIL'
.fi
.SH FILES
.TP
.I /etc/tensorkeep.conf
Settings of the service.
.TP
.I /var/lib/tensorkeep
Data of the service. A second server on a data folder is refused.
.SH EXIT STATUS
0, or 1 with a sentence on standard error.
TAIL
