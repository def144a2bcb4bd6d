#include "service/key_walk.h"

#include "service/state.h"
#include "store/base/scope.h"

enum { PAGE_KEYS = 128 };

void
key_walk_init(struct key_walk *walk, const struct store_view *view, const struct record_key *prefix)
{
    walk->view = view;
    walk->prefix = *prefix;
    walk->last.size = 0;
    walk->left = reader_of(bytes_of("", 0));
    walk->ended = false;
    buf_init(&walk->page, (size_t)PAGE_KEYS * (STORE_KEY_BYTES_MAX + sizeof(uint32_t)));
}

void
key_walk_drop(struct key_walk *walk)
{
    buf_drop(&walk->page);
}

static enum err_code
read_page(struct key_walk *walk, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct bytes after = bytes_of(NULL, 0), key, value;
    bool found = true;

    walk->page.size = 0;
    if (walk->last.size > 0)
        after = record_key_bytes(&walk->last);
    TRY(store_cursor_open(walk->view, record_key_bytes(&walk->prefix), after, &cursor, err));
    for (int i = 0; i < PAGE_KEYS; i++) {
        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found) {
            walk->ended = true;
            break;
        }
        TRY(buf_append_bytes(&walk->page, key, err));
    }
    walk->left = reader_of(buf_bytes(&walk->page));
    return OK;
}

enum err_code
key_walk_next(struct key_walk *walk, bool *found, struct bytes *key, struct err *err)
{
    if (walk->left.left.size == 0 && !walk->ended)
        TRY(read_page(walk, err));
    *found = walk->left.left.size > 0;
    if (!*found)
        return OK;
    *key = reader_bytes(&walk->left);
    walk->last.size = key->size;
    memcpy(walk->last.bytes, key->data, key->size);
    return OK;
}

enum err_code
key_walk_delete(struct store_txn *txn, const struct record_key *prefix, key_walk_release *release,
                struct err *err)
{
    AUTO(key_walk) walk;
    struct bytes key;
    bool found = true;

    key_walk_init(&walk, store_txn_view(txn), prefix);
    for (;;) {
        TRY(key_walk_next(&walk, &found, &key, err));
        if (!found)
            return OK;
        if (release != NULL)
            TRY(release(txn, key, err));
        TRY(store_delete(txn, key, err));
    }
}
