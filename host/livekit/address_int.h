/* Addresses of a LiveKit server, whatever way the operator wrote them. */
#ifndef FD_LIVEKIT_ADDRESS_INT_H
#define FD_LIVEKIT_ADDRESS_INT_H

#include "base/buf.h"

/* Appends base as ws(s)://host/prefix without ending slash, then path (which
 * begins with '/'). 0, or ERR_CONFIG when base is no http(s) or ws(s) URL. */
int address_ws(struct buf *out, const char *base, const char *path);
/* The same as http(s)://. */
int address_http(struct buf *out, const char *base, const char *path);

#endif
