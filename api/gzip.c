#include "gzip.h"

#define ZLIB_CONST /* it does not write to its input */
#include <zlib.h>

#define WINDOW_BITS (15 + 16) /* zlib.h: with a gzip header */
#define MEMORY_LEVEL 8

GString *gzip_pack(const char *bytes, size_t size, enum gzip_effort effort)
{
	static const int levels[] = {
		[GZIP_EFFORT_LEAST] = Z_BEST_SPEED,
		[GZIP_EFFORT_MOST] = Z_BEST_COMPRESSION,
	};
	z_stream stream = {0};
	GString *packed;
	uLong bound;

	if (deflateInit2(&stream, levels[effort], Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return NULL;
	bound = deflateBound(&stream, size);
	packed = g_string_sized_new(bound);
	stream.next_in = (const Bytef *)bytes;
	stream.avail_in = (uInt)size;
	stream.next_out = (Bytef *)packed->str;
	stream.avail_out = (uInt)bound;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END || stream.total_out >= size) {
		g_string_free(packed, TRUE);
		packed = NULL;
	} else {
		packed->len = stream.total_out;
	}
	deflateEnd(&stream);
	return packed;
}
