// The commit as Package.swift takes it from the environment of the build.
#include "commit.h"

const char *p2pnode_commit(void) { return P2PNODE_COMMIT; }
