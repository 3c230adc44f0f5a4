// libsodium, whole: the channel's cryptography. Imported by Sodium alone.
#include <sodium.h>
