/* Private to service/: how a model's variables would be placed anew (model_place.h), worked out
 * from a view without a change of anything, as long as it takes; then it may be written, wherever
 * what it was made of is still as it was. */
#ifndef SERVICE_PLACEMENT_MODEL_PLACE_PLAN_H
#define SERVICE_PLACEMENT_MODEL_PLACE_PLAN_H

#include "service/placement/model_follow.h"
#include "service/placement/model_place.h"
#include "service/placement/model_setter.h"

/* A variable, and where it goes. Texts are in the report's arena. */
struct place_item {
    const char *name;
    size_t size; /* of the name */
    uint64_t id;
    struct follow_made made;
    struct place_item *primary; /* that it follows; NULL: nobody */
    bool beside;                /* ... as a power: it is where the first part of that one is */
    const char *device;         /* NULL: not known yet */
    uint8_t placed;
    const char *const *parts; /* NULL: all on `device` */
    uint32_t part_count;
    bool changes; /* its record is another then */
};

/* The first three are the caller's; all else is in the report's arena, or by value. */
struct place_plan {
    struct service *service;
    const char *model;
    struct model_place_report *report;
    const struct store_view *view; /* while it is made */
    struct model_record record;
    uint64_t revision; /* noted: of the model's last change */
    uint64_t state;    /* noted: a hash of all that it is made of */
    struct model_setter setter;
    struct model_follow follow;
    struct place_item *items;     /* by name */
    struct place_item **in_order; /* in which they were made */
    const char **texts; /* devices kept last, by their hash: few of them stand in many parts */
    size_t count, capacity;
    size_t shown_bytes;
};

/* In place of what is in the report. */
ERR_MUST_CHECK enum err_code model_place_plan_make(struct place_plan *plan,
                                                   const struct store_view *view, struct err *err);
/* --- whether it still holds: model_place_state.c ------------------------------------------- */

/* For the check: of the view that it was made from. */
ERR_MUST_CHECK enum err_code model_place_plan_note(struct place_plan *plan,
                                                   const struct store_view *view, struct err *err);
/* ERR_CONFLICT when it would be another one now. Values, which change often, are no part of it:
 * when the model has changed at all, the variables are looked at, each for a moment. (Two states of
 * one hash would have to be meant; what is written then is in order, and belongs to the other.) */
ERR_MUST_CHECK enum err_code model_place_plan_check(const struct place_plan *plan,
                                                    const struct store_view *view, struct err *err);

#endif
