/* What the store lends and gives, dropped with the scope: AUTO_CURSOR cursor = NULL. */
#ifndef STORE_SCOPE_H
#define STORE_SCOPE_H

#include "store/base/scope.h"
#include "store/store.h"
#include "store/value.h"

static inline void
store_snapshot_scope_drop(struct store_snapshot **snapshot)
{
    store_snapshot_drop(*snapshot);
}

static inline void
store_cursor_scope_drop(struct store_cursor **cursor)
{
    store_cursor_drop(*cursor);
}

/* A stage is opened when the first builder wants it. */
static inline void
store_stage_scope_drop(struct store_stage **stage)
{
    store_stage_drop(*stage);
}

static inline void
value_builder_scope_drop(struct value_builder **builder)
{
    value_builder_drop(*builder);
}

static inline void
value_patch_scope_drop(struct value_patch **patch)
{
    value_patch_drop(*patch);
}

#define AUTO_SNAPSHOT AUTO_CALL(store_snapshot_scope_drop) struct store_snapshot *
#define AUTO_CURSOR   AUTO_CALL(store_cursor_scope_drop) struct store_cursor *
#define AUTO_STAGE    AUTO_CALL(store_stage_scope_drop) struct store_stage *
#define AUTO_BUILDER  AUTO_CALL(value_builder_scope_drop) struct value_builder *
#define AUTO_PATCH    AUTO_CALL(value_patch_scope_drop) struct value_patch *

#endif
