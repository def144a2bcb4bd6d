/* Private to the tally. */
#ifndef SERVICE_USAGE_TALLY_PARTS_H
#define SERVICE_USAGE_TALLY_PARTS_H

#include "service/usage/tally.h"
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

/* A chunk that other lists may have, in lists that follow each other. */
struct tally_run {
    uint64_t chunk;
    uint32_t place, size; /* in the segment; bytes */
    uint32_t first, last; /* of the family's values */
    bool foreign;         /* somebody who is not here has it, too */
};

/* Looked at a segment at a time. */
struct tally_family {
    struct value_head head;     /* of any of its lists: all are laid out alike */
    struct tally_value *values; /* those that are named here, by id */
    size_t value_count;
    bool known;    /* its lists were looked up */
    uint64_t *ids; /* of all its lists, ascending */
    size_t id_count, id_capacity;
    struct tally_run *runs;
    size_t run_count, run_capacity;
    size_t own_count;                       /* of them: not known to be foreign */
    size_t last_run[VALUE_SEGMENT_ENTRIES]; /* by place; 0: none, else one more than its number */
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
