/* fingerprint: what the generator of kernels is known by: figures measured of
   others say little of these. Made by the build of whatever makes a kernel:
   nobody has to raise a number. */
#ifndef SNUG_FINGERPRINT_H
#define SNUG_FINGERPRINT_H

extern const char *const kernels_fingerprint;

#endif
