// The commit that the program was built from. It is C, so that another commit compiles this file alone, and no Swift.
#pragma once

/// The first digits of the commit, with `-changed` if a file differed from it; empty if the build named no commit.
const char *_Nonnull p2pnode_commit(void);
