#!/usr/bin/env bash
# Builds Beam's Prism of a version into a folder: build.sh VERSION FOLDER
# Its one listening socket is on every interface and asks nobody who calls; here it is on 127.0.0.1.
set -euo pipefail
version=$1 folder=$2
listens=go/pkg/beam/runners/prism/internal/jobservices/server.go
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Go checks the sources by its sum database.
sources=$(cd "$work" && go mod download -json "github.com/apache/beam/sdks/v2@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp -r --no-preserve=mode "$sources" "$work/beam"
cd "$work/beam"
sed -i 's/net\.Listen("tcp", fmt\.Sprintf(":%d", port))/net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))/' "$listens"
grep -q '"127.0.0.1:%d"' "$listens" || { echo "Prism $version listens in another way; mend $0"; exit 1; }
go build -trimpath -o "$folder/prism" ./go/cmd/prism
