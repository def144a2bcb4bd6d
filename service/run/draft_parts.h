/* What a draft is made of. Private to draft*.c. */
#ifndef SERVICE_RUN_DRAFT_PARTS_H
#define SERVICE_RUN_DRAFT_PARTS_H

#include "service/run/draft.h"
#include "service/saving/checkpoint.h"
#include "service/saving/saver_keep.h"

enum draft_kind {
    DRAFT_STORED, /* the value a variable has in the view */
    DRAFT_MEMORY, /* written into the commit by the publishing unit */
    DRAFT_BUILT,  /* staged, or a fill, or a recipe */
    DRAFT_EDITED, /* blocks over another value */
};

/* A block of an edited value. */
struct draft_block {
    uint64_t index; /* offset / DRAFT_BLOCK_BYTES */
    uint8_t *bytes; /* in the draft's arena */
};

/* Blocks by index, open addressing; at most half full. */
struct draft_blocks {
    struct draft_block *slots; /* owned; bytes NULL: free */
    size_t count, capacity;    /* capacity: a power of two, or 0 */
};

struct draft_value {
    struct draft_value *next; /* of the draft */
    enum draft_kind kind;
    uint32_t holders; /* variables, checkpoints, edited values over it: 1 may be changed in place */
    uint64_t size;
    enum store_class class;
    const struct draft_variable *owner; /* STORED: whose it is in the view */
    struct value_reader reader;         /* STORED, once `open` */
    bool open;
    uint8_t *bytes;                /* MEMORY; owned */
    bool edits_before;             /* likewise: a copy of the value in the view, with edits */
    struct value_builder *builder; /* BUILT; owned */
    struct draft_value *base;      /* EDITED */
    struct draft_blocks blocks;
    uint64_t touched_chunks, last_chunk; /* EDITED: chunks with blocks, about */
    struct value_staged *staged;         /* EDITED: the chunks, when they were staged; owned */
    size_t staged_count;
    /* of one run of the publishing unit */
    bool published;
    struct value_ref ref;
};

struct draft_writer {
    struct draft *draft;
    struct draft_variable *variable; /* NULL: a loose value */
    const char *name;                /* of the variable, or for messages; borrowed */
    enum store_class class;
    struct draft_value *value;
    uint64_t size;   /* in bytes */
    uint64_t filled; /* of them */
};

struct draft_new {
    struct draft_new *next;
    struct draft_variable *variable;
    uint64_t graph_nodes;  /* that the run had taken before it */
    struct expr_tree tree; /* owned: the initial value, inferred; with has_tree */
    bool has_tree;
    const char *collection; /* in the arena; NULL: none */
};

struct draft_tensor {
    struct draft_tensor *next;
    struct bytes name; /* in the arena */
    const struct draft_variable *variable;
    struct draft_value *value;
    struct tensor_type type;
};

struct draft_save {
    struct draft_save *next;
    struct draft_save_spec spec; /* its names in the arena */
    bool again;                  /* in place of one of this run */
    uint64_t existing_id;        /* of the checkpoint of that name in the view; 0: none */
    struct draft_tensor *tensors, **tensors_end;
    size_t tensor_count;
    struct checkpoint_record record; /* set by each run of the publishing unit */
    bool replaced;
    struct saver_dropped dropped;
};

/* Either a record that is expected to be as it was, or something to do. */
struct draft_record {
    struct draft_record *next;
    struct record_key key;
    struct bytes value; /* in the arena */
    draft_publication *publish;
    void *context;
};

/* A value of the draft, with one holder. NULL with err set when memory is short. */
struct draft_value *draft_value_make(struct draft *draft, enum draft_kind kind, uint64_t size,
                                     enum store_class class, struct err *err);
void draft_value_free(struct draft_value *value);
/* One holder less. Without any a value gives up what it has, but for what the store must be told:
 * its staged chunks. What it lay over has a holder less then. */
void draft_value_release(struct draft_value *value);
/* What edits over edits lie over in the end: not EDITED. */
struct draft_value *draft_value_ground(struct draft_value *value);
/* The reader of what is STORED. */
ERR_MUST_CHECK enum err_code draft_value_open(struct draft *draft, struct draft_value *value,
                                              struct err *err);
/* Any value of the draft, whatever holds it. */
ERR_MUST_CHECK enum err_code draft_value_read(struct draft *draft, struct draft_value *value,
                                              uint64_t offset, uint64_t size, void *out,
                                              struct err *err);
/* By place: whoever goes through a value finds its neighbours near. *out owned: mem_free. */
ERR_MUST_CHECK enum err_code draft_blocks_sorted(const struct draft_blocks *blocks,
                                                 struct draft_block **out, struct err *err);
/* NULL when there is none. */
uint8_t *draft_block_find(const struct draft_blocks *blocks, uint64_t index);
/* *out: a reference for the caller. The first one makes the value, later ones share it. While a
 * checkpoint of the run may give its own up again, the draft holds one more. */
ERR_MUST_CHECK enum err_code draft_value_publish(const struct draft *draft, struct store_txn *txn,
                                                 struct draft_value *value, struct value_ref *out,
                                                 struct err *err);
ERR_MUST_CHECK enum err_code draft_save_publish(const struct draft *draft, struct store_txn *txn,
                                                struct draft_save *save, struct err *err);
/* What follows depends on the value as it is: the publishing unit expects it, unless this run has
 * made it. */
void draft_rely(struct draft_variable *variable);
/* The device of one that the run makes, whose form is known (draft_place.c). */
ERR_MUST_CHECK enum err_code draft_place(struct draft *draft, struct draft_variable *variable,
                                         struct err *err);
void draft_place_beside(struct draft_variable *variable, const struct draft_variable *other);
/* Opens the draft's stage when first wanted. */
ERR_MUST_CHECK enum err_code draft_stage(struct draft *draft, struct err *err);
enum store_class draft_class_of(const struct draft_variable *variable);

#endif
