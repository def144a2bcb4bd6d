/* Private to the tally. */
#ifndef SERVICE_TALLY_PARTS_H
#define SERVICE_TALLY_PARTS_H

#include "service/tally.h"
#include "store/value_family.h"

struct tally_naming {
    uint64_t value;
    uint32_t owner;
};

/* A list of chunks that is named here. */
struct tally_value {
    uint64_t id, family, forked;
    size_t naming_first;
    uint32_t naming_count;
    bool foreign;             /* other records name it, too */
    uint64_t exclusive_bytes; /* of chunks that no other list can have */
};

/* A chunk that other lists may have, in one that is named here. */
struct tally_entry {
    uint64_t chunk;
    uint32_t index, size;
    uint32_t value; /* of the family's values */
    bool foreign;   /* a list that is not named here has it, too */
};

struct tally_family {
    struct value_head head;     /* of any of its lists: all are laid out alike */
    struct tally_value *values; /* those that are named here, by id */
    size_t value_count;
    bool known;    /* its lists were looked up */
    uint64_t *ids; /* of all its lists, ascending */
    size_t id_count, id_capacity;
    struct tally_entry *entries; /* of the segments being looked at */
    size_t entry_count, entry_capacity;
    size_t own_count; /* of them: not known to be foreign */
    struct value_segment segment;
};

/* One more owner of the pieces being counted: those who name the value join tally->seen. */
void service_tally_see_value(struct service_tally *tally, const struct tally_value *value,
                             uint32_t *count);
/* Pieces of `size` bytes that the first `count` of tally->seen name, each of them once; `foreign`:
 * and somebody else. */
void service_tally_count_seen(struct service_tally *tally, uint32_t count, bool foreign,
                              uint64_t size);
/* Pieces of this value alone. */
void service_tally_count_value(struct service_tally *tally, const struct tally_value *value,
                               uint64_t size);
/* All pieces of the lists of one family that are named here. */
ERR_MUST_CHECK enum err_code service_tally_count_family(struct service_tally *tally,
                                                        struct tally_value *values, size_t count,
                                                        struct err *err);

#endif
