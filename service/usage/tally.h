/* Private to service/: who has which of the stored bytes, exactly.
 *
 * Owners (a checkpoint, a model's variables, a tensor) name values; groups (a model, a checkpoint)
 * are made of owners. What is stored is made of pieces: a chunk, the bytes of a value in a record
 * of its own, or in the very record that names it. A piece belongs to every owner that names a list
 * it is in. Whatever the tally was not told of is somebody else: records beyond those that name a
 * value here, and other lists of a family. So what is said of a few owners is true of the whole
 * store.
 *
 * Costs a look at each list that is named, and at others of its family until it is known of each
 * chunk whether they have it; memory for what differs between lists, a family at a time. */
#ifndef SERVICE_USAGE_TALLY_H
#define SERVICE_USAGE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

struct service;
struct store_view;
struct value_ref;

struct tally_owner {
    uint32_t group;
    bool is_checkpoint;
    uint64_t unique_bytes; /* pieces that it alone names: free when it goes */
    uint64_t shared_bytes; /* pieces that something else names too */
    uint64_t stamp;        /* of the pieces counted last */
};

struct tally_group {
    uint64_t stored_bytes; /* pieces that its owners name, each once */
    uint64_t unique_bytes; /* of them: those that nothing outside the group names */
    uint64_t common_bytes; /* of them: those that several of its checkpoints name */
    uint64_t stamp;
    uint32_t checkpoints; /* of its, that name the pieces counted last */
};

/* Owned: service_tally_drop. */
struct service_tally {
    const struct service *service; /* borrowed, as the view is */
    const struct store_view *view;
    struct tally_owner *owners;
    size_t owner_count, owner_capacity;
    struct tally_group *groups;
    size_t group_count, group_capacity;
    struct tally_naming *namings; /* who names which value; sorted by service_tally_run */
    size_t naming_count, naming_capacity;
    struct tally_value *values; /* of chunks */
    size_t value_count, value_capacity;
    uint64_t stored_bytes; /* pieces that anybody here names, each once */
    uint32_t *seen;        /* owners of the pieces being counted */
    uint64_t stamp;
    struct tally_family *family; /* the one being looked at */
};

void service_tally_init(struct service_tally *tally, const struct service *service,
                        const struct store_view *view);
void service_tally_drop(struct service_tally *tally);
/* New ones; *out is their place in the list. */
ERR_MUST_CHECK enum err_code service_tally_group(struct service_tally *tally, uint32_t *out,
                                                 struct err *err);
ERR_MUST_CHECK enum err_code service_tally_owner(struct service_tally *tally, uint32_t group,
                                                 bool is_checkpoint, uint32_t *out,
                                                 struct err *err);
/* One record of the owner's names this value (of any kind). */
ERR_MUST_CHECK enum err_code service_tally_add(struct service_tally *tally, uint32_t owner,
                                               const struct value_ref *ref, struct err *err);
/* Every value that a checkpoint names, and those of a model's variables: what they are made by,
 * too.
 */
struct checkpoint_record;
ERR_MUST_CHECK enum err_code
service_tally_add_checkpoint(struct service_tally *tally, uint32_t owner,
                             const struct checkpoint_record *checkpoint, struct err *err);
ERR_MUST_CHECK enum err_code service_tally_add_variables(struct service_tally *tally,
                                                         uint32_t owner, uint64_t model_id,
                                                         struct err *err);
/* A group of all that a model has: its variables, and each checkpoint. */
ERR_MUST_CHECK enum err_code service_tally_add_model(struct service_tally *tally, uint64_t model_id,
                                                     uint32_t *group, struct err *err);
/* Once, when all is added: now owners and groups say what they have. */
ERR_MUST_CHECK enum err_code service_tally_run(struct service_tally *tally, struct err *err);

#endif
