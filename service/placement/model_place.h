/* Placing a model's variables anew: as if all of them were made now, in the order they were made
 * in, under the device and the placement that the model has. */
#ifndef SERVICE_PLACEMENT_MODEL_PLACE_H
#define SERVICE_PLACEMENT_MODEL_PLACE_H

#include "service/model.h"
#include "store/base/arena.h"

/* Moves are told while their names and devices take up to so many bytes; all are counted. */
enum { MODEL_PLACE_SHOWN_BYTES_MAX = 128 << 10 };

/* A variable that goes elsewhere, or whose parts do. Texts are of the report. */
struct model_move {
    const char *name, *from, *to;
    uint32_t parts_moved;
};

/* Owned: model_place_report_drop. */
struct model_place_report {
    uint64_t variables, moved, revision;
    struct model_move *moves; /* in the order they were made in */
    size_t move_count, move_capacity;
    struct model_devices devices;
    struct model_drawn drawn;
    struct arena arena;
};
void model_place_report_drop(struct model_place_report *report); /* a zeroed one is fine */

/* In one commit, ahead of which it is worked out, again where others change what it is made of; who
 * writes meanwhile waits for what is written, not for that. A dry run only tells. What a variable's
 * own request said of its device stays, and what an optimizer or an average keeps goes where the
 * variable goes that it is kept for. Where the device was recorded by an earlier version and is
 * none, it stays. *out, zeroed: complete inside the commit, owned by the caller whatever comes of
 * it. */
ERR_MUST_CHECK enum err_code model_place(struct service *service, const char *model, bool dry_run,
                                         const struct write_options *options,
                                         struct model_place_report *out, struct err *err);

#endif
