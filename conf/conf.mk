# Manifests and the systemd unit.
