/*
 * The join request as a query value: protobuf, gzip, protobuf, base64url with
 * padding. Any thread; no state.
 */
#include <assert.h>
#include <stdlib.h>

#include <zlib.h>

#include "base/str.h"
#include "livekit/signal_int.h"

#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for a gzip header */

static void gzip(struct buf *out, const void *p, size_t n)
{
	z_stream z = { 0 };

	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 9,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	size_t room = deflateBound(&z, n);
	z.next_in = (Bytef *)p;
	z.avail_in = (uInt)n;
	z.next_out = buf_reserve(out, room);
	z.avail_out = (uInt)room;
	int r = deflate(&z, Z_FINISH);
	assert(r == Z_STREAM_END);
	out->len += room - z.avail_out;
	deflateEnd(&z);
}

void signal_wrap(struct buf *out, const Livekit__JoinRequest *req)
{
	Livekit__WrappedJoinRequest wrapped = LIVEKIT__WRAPPED_JOIN_REQUEST__INIT;
	struct buf plain = { 0 }, packed = { 0 }, outer = { 0 };

	proto_pack(&plain, req);
	gzip(&packed, plain.p, plain.len);
	wrapped.compression = LIVEKIT__WRAPPED_JOIN_REQUEST__COMPRESSION__GZIP;
	wrapped.join_request.data = packed.p;
	wrapped.join_request.len = packed.len;
	proto_pack(&outer, &wrapped);
	base64url_add(out, outer.p, outer.len, true);
	buf_free(&outer);
	buf_free(&packed);
	buf_free(&plain);
}
