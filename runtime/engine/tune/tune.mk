# Building with the tuned engine: $(TUNED) is the flags for the go command, as
# in `go build $(TUNED) ./cmd/mayfly`. It is found out when first used, then
# kept. Without the pinned module's source, or with TUNED set to nothing on the
# command line, the build is stock: correct, but about half as fast.
TUNED = $(eval TUNED := $(call tuned-flags,$(shell go run ./runtime/engine/tune)))$(TUNED)

tuned-flags = $(if $(1),-tags=mayfly_tuned '-modfile=$(1)',$(warning \
	WARNING: the tuned engine could not be made (see above): building with stock wazero, which runs guests at about half the speed))
