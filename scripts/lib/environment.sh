# shellcheck shell=bash
# The environment .venv of this checkout: made once, repaired when it was moved or is outdated.
# Sourced by scripts/start and scripts/test; `prepare NAME…` makes sure that one of the named sets of
# extras is installed ("base": none), and installs the first where it is not.
#
# PYTHON=…  the interpreter to make it with; else the first of python3.13, 3.12, 3.11 and python3 that will do.

ROOT=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
VENV=$ROOT/.venv
LOG=$VENV/install.log
OLDEST="3.11"
NEEDED_KB=$((9 * 1000 * 1000)) # PyTorch with its GPU libraries: 5.5 GB, and as much as 3 GB while it is unpacked

say() { printf '%s\n' "$*" >&2; }

fail() {
    printf 'Error: %s\n%s\n' "$1" "$2" >&2
    exit 1
}

prepare() {
    is_prepared "$@" && return
    lock
    if ! is_prepared "$@"; then
        mend_or_make
        is_prepared "$@" || install "$1"
    fi
    exec 9<&-
}

is_prepared() {
    [[ -x $VENV/bin/fext && -f $VENV/.root && $(<"$VENV/.root") == "$ROOT" ]] || return 1
    local fingerprint name
    fingerprint=$(fingerprint) || return 1
    for name in "$@"; do
        [[ -f $VENV/.installed-$name && $(<"$VENV/.installed-$name") == "$fingerprint" ]] && return
    done
    return 1
}

# What the installed packages depend on: the interpreter, and what the project asks for.
fingerprint() {
    {
        "$VENV/bin/python" -c 'import sys; print(sys.version_info[:2])' &&
            cat -- "$ROOT/pyproject.toml" "$ROOT/constraints.txt"
    } 2>/dev/null | sha256sum && [[ ${PIPESTATUS[0]} == 0 ]]
}

# Of two calls at once, one makes the environment and the other waits. Descriptor 9 is the checkout's folder.
lock() {
    exec 9<"$ROOT"
    command -v flock >/dev/null || return 0
    flock -n 9 2>/dev/null && return
    say "Another call is setting up; waiting for it …"
    flock 9 2>/dev/null || return 0
}

mend_or_make() {
    if [[ -e $VENV || -L $VENV ]] && ! may_be_replaced; then
        fail "$VENV is there, but is no Python environment." "Move it away, then try again."
    fi
    if [[ -f $VENV/pyvenv.cfg ]] && works "$VENV/bin/python" && "$VENV/bin/python" -m pip --version &>/dev/null; then
        mend_moved
    else
        make
    fi
}

# Whether .venv is an environment or an empty folder; nothing else is ever overwritten.
may_be_replaced() {
    [[ -f $VENV/pyvenv.cfg ]] || { [[ -d $VENV ]] && [[ -z $(ls -A -- "$VENV") ]]; }
}

mend_moved() {
    local before=""
    [[ -f $VENV/.root ]] && before=$(<"$VENV/.root")
    [[ $before == "$ROOT" ]] && return
    if [[ -n $before ]]; then
        say "The checkout was moved here from $before; mending .venv …"
        "$VENV/bin/python" "$ROOT/scripts/lib/relocate.py" "$VENV" "$before" "$ROOT" && runs_from_here &&
            printf '%s' "$ROOT" >"$VENV/.root" && return
    fi
    rm -f -- "$VENV"/.installed-*
}

runs_from_here() {
    local found
    found=$(cd / && "$VENV/bin/python" -c 'import fext_tui; print(fext_tui.__path__[0])' 2>/dev/null) || return 1
    [[ $found == "$ROOT/fext_tui" ]] && "$VENV/bin/fext" --version &>/dev/null
}

# Whether an interpreter is there, starts, and is new enough.
works() {
    "$1" -c "import sys; sys.exit(sys.version_info < (${OLDEST/./, }))" &>/dev/null
}

make() {
    local python
    python=$(choose_python) || exit 1
    "$python" -c 'import venv, ensurepip' &>/dev/null ||
        fail "$python has no venv module, which makes environments." \
            "Install it (Debian, Ubuntu: apt install python3-venv), then try again."
    check_room
    [[ -f $VENV/pyvenv.cfg ]] && say "The environment .venv does not work any more; making it anew …"
    say "Making the environment .venv with $("$python" --version) ($(command -v -- "$python")) …"
    local told
    told=$("$python" -m venv --clear -- "$VENV" 2>&1) ||
        fail "The environment $VENV cannot be made: ${told##*$'\n'}" "Mend the permissions or make room, then try again."
}

choose_python() {
    if [[ -n ${PYTHON:-} ]]; then
        works "$PYTHON" || fail "PYTHON=$PYTHON is no Python $OLDEST or newer." "Set it to one that is, or unset it."
        printf '%s' "$PYTHON"
        return
    fi
    local name
    for name in python3.13 python3.12 python3.11 python3; do
        if works "$name"; then
            printf '%s' "$name"
            return
        fi
    done
    fail "There is no Python $OLDEST or newer." \
        "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: PYTHON=/path/to/python3 $0"
}

check_room() {
    compgen -G "$VENV/lib/python3*/site-packages/torch" >/dev/null && return
    local free
    free=$(df -Pk -- "$ROOT" | awk 'NR == 2 { print $4 }')
    [[ -z $free || $free -ge $NEEDED_KB ]] ||
        fail "$ROOT has $((free / 1000 / 1000)) GB free; PyTorch and the rest need $((NEEDED_KB / 1000 / 1000)) GB." \
            "Make room, or move the checkout to a larger disk."
}

install() {
    local name=$1 target="."
    [[ $name == base ]] || target=".[$name]"
    check_room
    say "Installing the packages of constraints.txt; the first time, that is some minutes and 5.5 GB …"
    rm -f -- "$VENV"/.installed-*
    mkdir -p -- "$VENV/tmp"
    if ! run_pip "$target"; then
        rm -rf -- "$VENV/tmp"
        explain_pip
    fi
    rm -rf -- "$VENV/tmp"
    printf '%s' "$ROOT" >"$VENV/.root"
    fingerprint >"$VENV/.installed-$name"
    command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null ||
        say "Note: there is no C++ compiler, so torch.compile stays off; all else works (to have it: apt install g++)."
    say "Ready."
}

run_pip() {
    (
        set -o pipefail
        cd -- "$ROOT" || exit
        TMPDIR=$VENV/tmp PIP_USER=0 "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input \
            --progress-bar off -c constraints.txt -e "$1" 2>&1 | tee -- "$LOG" | show_pip
    )
}

# Show what pip does on one line with the time it takes, or, without a terminal, the main stages.
show_pip() {
    local line stage="" status commas
    SECONDS=0
    while true; do
        IFS= read -r -t 1 line && status=0 || status=$?
        if ((status == 0)); then
            case $line in
                Collecting* | "  Downloading "* | Downloading* | "Building "* | "Installing "*) stage=${line#"${line%%[! ]*}"} ;;
                *) continue ;;
            esac
            if [[ $stage == "Installing collected"* ]]; then
                commas=${stage//[^,]/}
                stage="Installing $((${#commas} + 1)) packages"
                [[ -t 2 ]] || say "  $stage …"
            fi
        elif ((status <= 128)); then
            break
        fi
        [[ -t 2 ]] && printf '\r\033[K  %d:%02d  %s' $((SECONDS / 60)) $((SECONDS % 60)) "${stage:0:66}" >&2
    done
    [[ -t 2 ]] && printf '\r\033[K' >&2
    return 0
}

explain_pip() {
    local remedy="Read $LOG for the whole story, then try again; what was downloaded is kept."
    if grep -qiE 'no space left|errno 28' -- "$LOG"; then
        remedy="There is no space left: make room, then try again."
    elif grep -qiE 'name resolution|connection|timed out|network is unreachable|retrying|no matching distribution' -- "$LOG"; then
        remedy="The packages cannot be fetched: check the network and pip's settings (proxy, index), then try again."
    fi
    grep -vE '^(WARNING|  )' -- "$LOG" | tail -n 8 >&2 || true
    fail "The packages cannot be installed." "$remedy"
}
