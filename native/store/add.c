/* add.c: nodes added in batches, all or none. */
#include <stdio.h>

#include "store/store.h"

#include "store/poison.h"

typedef int32_t add_one(dm_store *store, dm_id id, const float *embedding, uint32_t *slot, char *error,
                        size_t error_size);

/* Puts "node 3 of 10: " before the sentence. */
static void say_which(size_t which, size_t count, char *error, size_t error_size) {
    enum { SENTENCE = 512 };
    char sentence[SENTENCE];
    if (error != NULL && error_size > 0) {
        (void)snprintf(sentence, sizeof(sentence), "node %zu of %zu: %s", which, count, error);
        (void)snprintf(error, error_size, "%s", sentence);
    }
}

static int32_t add_all(dm_store *store, add_one *add, const dm_id *ids, const float *embeddings, size_t stride,
                       size_t count, uint32_t *slots, char *error, size_t error_size) {
    if (count > 0 && stride < store->dim) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "a stride of %zu floats is less than the store's dim of %u", stride, store->dim);
    }
    for (size_t i = 0; i < count; i++) {
        int32_t status = add(store, ids[i], embeddings + i * stride, &slots[i], error, error_size);
        if (status != DM_OK) {
            say_which(i, count, error, error_size);
            while (i-- > 0) { /* the last one first: the next to come then get the same slots again */
                (void)dm_store_remove(store, slots[i], NULL, 0);
            }
            return status;
        }
    }
    return DM_OK;
}

int32_t dm_store_add_concepts(dm_store *store, const dm_id *ids, const float *centroids, size_t stride, size_t count,
                              uint32_t *slots, char *error, size_t error_size) {
    return add_all(store, dm_store_add_concept, ids, centroids, stride, count, slots, error, error_size);
}

int32_t dm_store_add_episodes(dm_store *store, const dm_id *ids, const float *embeddings, size_t stride, size_t count,
                              uint32_t *slots, char *error, size_t error_size) {
    return add_all(store, dm_store_add_episode, ids, embeddings, stride, count, slots, error, error_size);
}

int32_t dm_store_add_nodes(dm_store *store, const dm_id *ids, const float *embeddings, size_t stride, size_t count,
                           uint32_t *slots, char *error, size_t error_size) {
    return add_all(store, dm_store_add_node, ids, embeddings, stride, count, slots, error, error_size);
}
