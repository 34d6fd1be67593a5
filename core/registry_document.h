/* The registry as one JSON document, to be kept or carried to another system:
 *
 *   {"format":"headcount registry","version":1,"spaces":[…],"doorways":[…],"dpus":[…],"installations":[…],"resets":[…]}
 *
 * The objects have the members of the commands that create them (registry.h), in the order of their ids, one a line: the
 * same registry is the same bytes. A system numbers its installations itself, so an installation has no id here: its
 * DPU and started_at tell it apart. */
#ifndef HEADCOUNT_REGISTRY_DOCUMENT_H
#define HEADCOUNT_REGISTRY_DOCUMENT_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

enum registry_part {
	REGISTRY_SPACES,
	REGISTRY_DOORWAYS,
	REGISTRY_DPUS,
	REGISTRY_INSTALLATIONS,
	REGISTRY_RESETS,
	REGISTRY_PARTS,
};

/* Which resets there are in it. Of a person's word and the schedule's at one instant it has the person's: that one
 * counts. */
enum registry_resets { REGISTRY_RESETS_NONE, REGISTRY_RESETS_BY_PERSONS, REGISTRY_RESETS_ALL };

struct registry_entry {
	enum registry_part part;
	const char *
		text; /* the object: two that say the same are the same text. Lives until `found` returns */
	int64_t number; /* the system's own, of an installation in the database; else 0 */
};
typedef void registry_entry_found(void *context, const struct registry_entry *entry);

/* Calls `found` for all that the database has, in the order of the document. Within store_transaction. */
void registry_document_each(struct store *store, enum registry_resets resets,
			    registry_entry_found *found, void *context);

/* Appends the document. Within store_transaction. */
void registry_document_write(struct store *store, enum registry_resets resets, GString *out);

/* Reads a document, calling `found` for what is in it, in the order of the parts. What a part or a member lacks is
 * empty, or as a command that creates the object would have it. RESULT_INVALID and a problem that says where if it is
 * none; what was found before does not count then. Whether the objects go together is not judged. */
MUST_USE enum result registry_document_read(const char *text, size_t size,
					    registry_entry_found *found, void *context,
					    struct problem *reterr_problem);

#endif
