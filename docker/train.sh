#!/bin/sh
# Trains the image's model: on MNIST from the build context of that name, or downloaded, or on optdigits.
# What follows is passed on to `digit-job train`, such as --epochs 3.
set -eu
if [ -n "$(ls -A /mnist)" ]; then
    export MNIST_DIR=/mnist
fi
if [ -s /run/secrets/ca ]; then
    export SSL_CERT_FILE=/run/secrets/ca
fi
digit-job train --model /model "$@"
chmod -R a+rX /model
