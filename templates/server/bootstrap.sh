#!/bin/bash
# Installs and starts the MLflow server on Amazon Linux 2023. Run as root by user data, which has put every file of the
# server and the list of teams into /opt/gatehouse (each checked against its SHA-256) and the server's settings into
# /etc/gatehouse/server.env. May be run again at any time.
#
# What runs here is pinned: system packages are signed by Amazon (dnf checks), Python packages are wheels with the
# hashes of requirements.txt, and the rest is the checked files.
set -euo pipefail
umask 022 # the service's user reads what is installed here

readonly FILES=${GATEHOUSE_FILES:-/opt/gatehouse}
readonly VENV=${GATEHOUSE_VENV:-/opt/mlflow}
readonly PYTHON=${GATEHOUSE_PYTHON:-python3.11}
readonly SETTINGS=/etc/gatehouse/server.env
readonly AGENT=/opt/aws/amazon-cloudwatch-agent
readonly NEEDED=(launcher.py sitecustomize.py mlflow.service cloudwatch-agent.json requirements.txt rds-ca.pem teams.txt)
# The wheelhouse's bucket is made by the same apply as this instance and filled afterwards: 60 times 30 s.
readonly WHEELHOUSE_ATTEMPTS=60
readonly WHEELHOUSE_PAUSE_SECONDS=30

log() {
  printf 'gatehouse: %s\n' "$*" >&2
}

fail() {
  log "error: $*"
  exit 1
}

# retry TIMES PAUSE_SECONDS COMMAND...
retry() {
  local times=$1 pause=$2 attempt
  shift 2
  for ((attempt = 1; attempt < times; attempt++)); do
    if "$@"; then
      return 0
    fi
    log "attempt $attempt of $times failed: $1; again in $pause s"
    sleep "$pause"
  done
  "$@"
}

read_settings() {
  local name
  for name in "${NEEDED[@]}"; do
    [[ -f $FILES/$name ]] || fail "$FILES/$name is missing; user data must download it"
  done
  set -a
  # shellcheck source=/dev/null
  source "$SETTINGS"
  set +a
  export AWS_DEFAULT_REGION=$GATEHOUSE_REGION
}

create_user() {
  id mlflow >/dev/null 2>&1 || useradd --system --home-dir /nonexistent --no-create-home --shell /sbin/nologin mlflow
}

install_packages() {
  retry 10 15 dnf install -y python3.11 python3.11-pip amazon-cloudwatch-agent logrotate
}

# Put the settings' values into the CloudWatch agent's configuration: source target.
# Only ${GATEHOUSE_...} is replaced; the agent's own ${aws:...} stays. An unset name is an error.
render_agent_config() {
  "$PYTHON" -I - "$1" "$2" <<'PYTHON'
import json, os, pathlib, re, sys

def render(node):
    if isinstance(node, dict):
        return {key: render(value) for key, value in node.items()}
    if isinstance(node, list):
        return [render(value) for value in node]
    if isinstance(node, str):
        return re.sub(r"\$\{(GATEHOUSE_\w+)\}", lambda match: os.environ[match[1]], node)
    return node

source, target = map(pathlib.Path, sys.argv[1:])
target.write_text(json.dumps(render(json.loads(source.read_text())), indent=2) + "\n")
PYTHON
}

# The agent runs as root: cloud-init's log is readable by root alone. Metrics come per instance and over all of the
# namespace; a dimension for the group would make the agent ask the EC2 API, which needs one more endpoint.
start_agent() {
  render_agent_config "$FILES/cloudwatch-agent.json" "$AGENT/etc/gatehouse.json"
  "$AGENT/bin/amazon-cloudwatch-agent-ctl" -a fetch-config -m ec2 -s -c "file:$AGENT/etc/gatehouse.json"
}

# pip_install OPTIONS...: the hash-locked requirements, wheels only, regardless of pip's configuration on this machine.
pip_install() {
  "$VENV/bin/python" -I -m pip --isolated --disable-pip-version-check --no-input install --no-cache-dir --quiet \
    --require-hashes --only-binary :all: --requirement "$FILES/requirements.txt" "$@"
}

# Requirements of which no wheel with a listed hash lies in a folder: requirements folder.
missing_wheels() {
  "$PYTHON" -I - "$1" "$2" <<'PYTHON'
import hashlib, pathlib, re, sys

text = pathlib.Path(sys.argv[1]).read_text()
present = {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in pathlib.Path(sys.argv[2]).glob("*.whl")}
for line in re.sub(r"#.*", "", text).replace("\\\n", " ").splitlines():
    name, *options = line.split() or [""]
    if name and not present & {option.rpartition(":")[2] for option in options}:
        print(name)
PYTHON
}

# One attempt to install from the wheelhouse in S3: folder.
install_from_wheelhouse() {
  local missing
  aws s3 sync --only-show-errors "$GATEHOUSE_WHEELHOUSE" "$1" || return 1
  missing=$(missing_wheels "$FILES/requirements.txt" "$1") || return 1
  if [[ -n $missing ]]; then
    log "the wheelhouse $GATEHOUSE_WHEELHOUSE lacks: ${missing//$'\n'/ }"
    return 1
  fi
  pip_install --no-index --find-links "$1"
}

install_python_packages() {
  local folder
  case $GATEHOUSE_PACKAGE_SOURCE in
    pypi)
      retry 10 15 pip_install
      ;;
    wheelhouse)
      [[ ${GATEHOUSE_WHEELHOUSE:-} == s3://*/ ]] || fail "GATEHOUSE_WHEELHOUSE is '${GATEHOUSE_WHEELHOUSE:-}'; set it to s3://BUCKET/PREFIX/"
      folder=$(mktemp -d)
      retry "$WHEELHOUSE_ATTEMPTS" "$WHEELHOUSE_PAUSE_SECONDS" install_from_wheelhouse "$folder" ||
        fail "the wheelhouse did not become complete; see above for what is missing"
      rm -rf "$folder"
      ;;
    *)
      fail "GATEHOUSE_PACKAGE_SOURCE is '$GATEHOUSE_PACKAGE_SOURCE'; set it to pypi or wheelhouse"
      ;;
  esac
}

# A virtual environment of exactly the requirements, made anew when they have changed.
install_server() {
  local mark=$VENV/.requirements.sha256
  if [[ -f $mark ]] && (cd "$FILES" && sha256sum --check --status "$mark"); then
    return 0
  fi
  rm -rf "$VENV"
  "$PYTHON" -m venv "$VENV"
  install_python_packages
  "$VENV/bin/python" -I -m compileall -q "$VENV/lib" || log "some modules do not compile; harmless"
  (cd "$FILES" && sha256sum requirements.txt) >"$mark"
}

install_service() {
  install -m 0644 "$FILES/mlflow.service" /etc/systemd/system/mlflow.service
  # systemd opens the unit's log before it makes the unit's LogsDirectory, and would fail with 209/STDOUT.
  install -d -o mlflow -g mlflow -m 0750 /var/log/mlflow
  # systemd holds the log open, so it is copied and emptied instead of renamed.
  cat >/etc/logrotate.d/mlflow <<'LOGROTATE'
/var/log/mlflow/server.log {
  daily
  maxsize 100M
  rotate 7
  copytruncate
  compress
  missingok
  notifempty
}
LOGROTATE
  systemctl daemon-reload
  systemctl enable --now logrotate.timer
  systemctl enable mlflow.service
  # Returns when the launcher says READY. If this start fails, systemd tries again by itself.
  systemctl restart mlflow.service || retry 60 10 systemctl is-active --quiet mlflow.service
}

# metadata PATH: from the instance metadata service, version 2.
metadata() {
  local token
  token=$(curl -fsS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
  curl -fsS -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"
}

complete_hook() {
  aws autoscaling complete-lifecycle-action --lifecycle-action-result CONTINUE --instance-id "$1" \
    --auto-scaling-group-name "$GATEHOUSE_SCALING_GROUP" --lifecycle-hook-name "$GATEHOUSE_BOOT_HOOK"
}

# Tell the scaling group that MLflow answers, if it waits for that. It does not when this is run again by hand.
report_ready() {
  local instance
  [[ -n ${GATEHOUSE_BOOT_HOOK:-} ]] || return 0
  instance=$(retry 5 2 metadata instance-id)
  retry 5 5 complete_hook "$instance" || log "the scaling group was not told; it may not be waiting"
}

main() {
  read_settings
  create_user
  install_packages
  start_agent # before the packages, which may take half an hour: somebody may be watching
  install_server
  install_service
  log "the server is up"
  report_ready
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  main "$@"
fi
