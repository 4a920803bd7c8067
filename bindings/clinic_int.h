/* The schema of clinic.lua. Private to bindings/ and the manual's test. */
#ifndef FD_BINDINGS_CLINIC_INT_H
#define FD_BINDINGS_CLINIC_INT_H

#include <stdbool.h>

enum clinic_kind {
	FIELD_TEXT,
	FIELD_NUMBER, /* whole, min..max */
	FIELD_BOOL,
	FIELD_TEXTS,
	FIELD_SPANS,  /* "09:00-17:00" */
	FIELD_TABLE,  /* of sub */
	FIELD_LIST,   /* of tables of sub, at least min */
	FIELD_ANY,
};

struct clinic_field {
	const char *key;
	enum clinic_kind kind;
	bool required;
	int min, max;
	const struct clinic_field *sub;
	const char *about; /* for the fault and the manual */
};

extern const struct clinic_field clinic_fields[];

#endif
