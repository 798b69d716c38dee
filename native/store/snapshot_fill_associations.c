/* snapshot_fill_associations.c: from the section of associations to the lists of both ends. As in snapshot_fill.c nothing is believed:
 * the order is strict, so a pair cannot be there twice, and a list needs no search. */
#include "store/snapshot_load.h"

#include "store/poison.h"

static int32_t refuse_association(const dm_loader *state, const dm_snapshot_association *record, const char *why) {
    return dm_refuse(state, "among the associations, that of %s %u and %u %s; no dm_store_save wrote this file",
                     record->is_concept ? "concepts" : "episodes", record->one, record->other, why);
}

static int is_there(const dm_rows_table *table, uint32_t index) {
    return index < table->capacity && dm_rows_find(table, index) != DM_ROW_NONE;
}

/* The order of the records. Both are known to have ends below 2^28. */
static uint64_t place_of(const dm_snapshot_association *record) {
    return (uint64_t)record->is_concept << 56 | (uint64_t)record->one << 28 | record->other;
}

static int32_t check_association(const dm_loader *state, const dm_snapshot_association *record, const dm_snapshot_association *before) {
    const dm_store *store = state->store;
    const dm_rows_table *table = record->is_concept ? &store->concepts : &store->episodes;
    if (record->is_concept > 1) {
        return refuse_association(state, record, "has a type that is neither 0 nor 1");
    }
    if (!is_there(table, record->one) || !is_there(table, record->other)) {
        return refuse_association(state, record, "has an end that is not there");
    }
    if (record->one >= record->other) {
        return refuse_association(state, record, "does not have the lower slot first");
    }
    if (before != NULL && place_of(before) >= place_of(record)) {
        return refuse_association(state, record, "is out of order or there twice");
    }
    if (record->weight > DM_SNAPSHOT_ONE) {
        return refuse_association(state, record, "has a weight outside of [0, 1]");
    }
    return DM_OK;
}

static int32_t fill_association(const dm_loader *state, const dm_snapshot_association *record) {
    dm_store *store = state->store;
    uint32_t one = record->is_concept ? dm_concept_slot(record->one) : record->one;
    uint32_t other = record->is_concept ? dm_concept_slot(record->other) : record->other;
    uint64_t before = dm_memory_bytes(&store->association_memory);
    if (!dm_associations_restore(store, one, other, dm_float_from_bits(record->weight))) {
        return dm_fail(DM_ERROR_MEMORY, state->error, state->error_size, "%s: no memory for the associations", state->path);
    }
    /* How many blocks the lists need depends on how the associations are spread over the nodes: known only here. */
    return dm_memory_bytes(&store->association_memory) == before ? DM_OK
                                                                 : dm_snapshot_check_claim(state, dm_store_memory(store).total);
}

int32_t dm_snapshot_fill_associations(const dm_loader *state) {
    const dm_snapshot_association *records = dm_snapshot_records(state, DM_SNAPSHOT_ASSOCIATIONS);
    uint64_t count = state->header.sections[DM_SNAPSHOT_ASSOCIATIONS].count;
    int32_t status = DM_OK;
    for (uint64_t i = 0; i < count && status == DM_OK; i++) {
        status = check_association(state, &records[i], i == 0 ? NULL : &records[i - 1]);
        if (status == DM_OK) {
            status = fill_association(state, &records[i]);
        }
    }
    return status;
}
