/* snapshot_load.c: is this file whole, and may it have the memory it wants? What is in it is looked at in snapshot_fill.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/snapshot_load.h"

#include "store/poison.h"

int32_t dm_refuse(const dm_loader *state, const char *format, ...) {
    char sentence[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    return dm_fail(DM_ERROR_CORRUPT, state->error, state->error_size, "%s: %s", state->path, sentence);
}

static int32_t fail_to_read(const dm_loader *state, const char *what) {
    char text[64];
    return dm_fail(DM_ERROR_IO, state->error, state->error_size, "cannot %s %s: %s", what, state->path,
                   strerror_r(errno, text, sizeof(text)));
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

static int32_t map_file(dm_loader *state) {
    struct stat facts;
    state->descriptor = open(state->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make us wait */
    if (state->descriptor < 0) {
        return fail_to_read(state, "open");
    }
    if (fstat(state->descriptor, &facts) != 0) {
        return fail_to_read(state, "read");
    }
    if (!S_ISREG(facts.st_mode)) {
        return dm_fail(DM_ERROR_IO, state->error, state->error_size, "cannot read %s: not a regular file", state->path);
    }
    state->size = (uint64_t)facts.st_size;
    if (state->size < sizeof(dm_snapshot_header)) {
        return dm_refuse(state, "%llu bytes are less than the header of a snapshot; copy the file again",
                         (unsigned long long)state->size);
    }
    state->bytes = dm_memory_map_file(state->descriptor, state->size);
    return state->bytes != NULL ? DM_OK : fail_to_read(state, "map");
}

/* --- the header ----------------------------------------------------------------------------------------------------- */

/* What must be known before the rest of the header can be read. */
static int32_t check_origin(const dm_loader *state, const dm_snapshot_header *expected) {
    const dm_snapshot_header *header = &state->header;
    if (memcmp(header->magic, expected->magic, sizeof(header->magic)) != 0) {
        return dm_refuse(state, "not a snapshot (it begins with other bytes); dm_store_save writes one");
    }
    if (header->byte_order == __builtin_bswap32(expected->byte_order)) {
        return dm_fail(DM_ERROR_UNSUPPORTED, state->error, state->error_size,
                       "%s: written on a machine of the other byte order; load it on one like that", state->path);
    }
    if (header->version != expected->version) {
        return dm_fail(DM_ERROR_UNSUPPORTED, state->error, state->error_size, "%s: format version %u, this library reads %u; use %s",
                       state->path, header->version, expected->version,
                       header->version > expected->version ? "a newer one" : "the one that wrote the file");
    }
    return DM_OK;
}

/* dim, kind and capacities as dm_store_create takes them, counts within the capacities: then dm_snapshot_lay_out cannot overflow. */
static int has_sane_counts(const dm_snapshot_header *header) {
    const dm_snapshot_section *sections = header->sections;
    uint64_t nodes = (uint64_t)header->concept_capacity + header->episode_capacity;
    return header->dim >= 1 && header->dim <= DM_DIM_MAX && header->single_type <= 1 &&
           header->concept_capacity <= (header->single_type ? 0 : DM_CAPACITY_MAX) &&
           header->episode_capacity <= DM_CAPACITY_MAX && nodes > 0 &&
           sections[DM_SNAPSHOT_EPISODES].count <= header->episode_capacity &&
           sections[DM_SNAPSHOT_CONCEPTS].count <= header->concept_capacity &&
           sections[DM_SNAPSHOT_EPISODE_ROWS].count == sections[DM_SNAPSHOT_EPISODES].count &&
           sections[DM_SNAPSHOT_CONCEPT_ROWS].count == sections[DM_SNAPSHOT_CONCEPTS].count &&
           sections[DM_SNAPSHOT_ASSOCIATIONS].count <= (header->single_type ? 0 : UINT32_MAX) &&
           sections[DM_SNAPSHOT_BINDINGS].count <= (header->single_type ? 0 : UINT32_MAX);
}

static int32_t check_header(dm_loader *state, const dm_checksum *checksum) {
    dm_snapshot_header *header = &state->header;
    memcpy(header, state->bytes, sizeof(*header));
    dm_snapshot_header expected = *header;
    expected.version = 0;
    for (int part = 0; part < DM_SNAPSHOT_PARTS; part++) {
        expected.sections[part].count = 0; /* not believed yet */
    }
    dm_snapshot_lay_out(&expected);
    int32_t status = check_origin(state, &expected);
    if (status != DM_OK) {
        return status;
    }
    if (dm_snapshot_header_crc(checksum, header) != header->crc) {
        return dm_refuse(state, "the header is damaged (its checksum differs); copy the file again or use an older one");
    }
    if (!has_sane_counts(header)) {
        return dm_refuse(state, "the header contradicts itself (sizes out of range); no dm_store_save wrote this file");
    }
    expected = *header;
    dm_snapshot_lay_out(&expected);
    if (memcmp(&expected, header, sizeof(expected)) != 0) {
        return dm_refuse(state, "the header contradicts itself (places of sections); no dm_store_save wrote this file");
    }
    if (state->size != header->file_size) {
        return dm_refuse(state, "%s: %llu bytes of %llu; copy the file again", state->size < header->file_size ? "cut off" : "too long",
                         (unsigned long long)state->size, (unsigned long long)header->file_size);
    }
    return DM_OK;
}

/* --- the sections ---------------------------------------------------------------------------------------------------- */

static int is_zero(const unsigned char *bytes, size_t size) {
    unsigned char seen = 0;
    for (size_t i = 0; i < size; i++) {
        seen |= bytes[i];
    }
    return seen == 0;
}

static int32_t check_sections(const dm_loader *state, const dm_checksum *checksum) {
    uint64_t end = sizeof(dm_snapshot_header);
    for (int part = 0; part < DM_SNAPSHOT_PARTS; part++) {
        const dm_snapshot_section *section = &state->header.sections[part];
        const char *name = dm_snapshot_part_name((dm_snapshot_part)part);
        if (!is_zero(state->bytes + end, section->offset - end)) {
            return dm_refuse(state, "damaged in front of the section of %s (bytes %llu to %llu are not zero); copy the file again or use "
                             "an older one", name, (unsigned long long)end, (unsigned long long)section->offset);
        }
        uint32_t crc = checksum->variant->update(&checksum->tables, 0, state->bytes + section->offset, section->size);
        end = section->offset + section->size;
        if (crc != section->crc) {
            return dm_refuse(state, "the section of %s is damaged (bytes %llu to %llu, checksum %08x instead of %08x); copy the file "
                             "again or use an older one", name, (unsigned long long)section->offset, (unsigned long long)end, crc,
                             section->crc);
        }
    }
    return DM_OK;
}

/* --- memory ------------------------------------------------------------------------------------------------------------ */

static uint64_t rows_claim(uint64_t capacity, uint64_t stride) {
    uint64_t per_row = stride * sizeof(float) + 4 * sizeof(uint32_t);
    return capacity * (per_row + sizeof(dm_id) + 2 * sizeof(uint32_t));
}

/* Bytes that the store will claim, as dm_store_memory tells them: all but the spare rows, the store itself and the lists of episodes with more
 * than eight bindings, which the file's size bounds, and the associations, which are counted as they come (snapshot_fill_associations.c).
 * tests/test_snapshot.c compares the two. */
static uint64_t claim(const dm_loader *state) {
    const dm_snapshot_header *header = &state->header;
    uint64_t stride = ((uint64_t)header->dim + 15) / 16 * 16;
    uint64_t concepts = header->concept_capacity;
    uint64_t episodes = header->episode_capacity;
    uint64_t buckets = 2;
    while (buckets * 3 < (concepts + episodes) * 2) {
        buckets *= 2;
    }
    uint64_t bytes = rows_claim(concepts, stride) + rows_claim(episodes, stride) + buckets * sizeof(dm_bucket) +
                     (concepts + episodes) * sizeof(dm_node);
    if (header->single_type) {
        return bytes;
    }
    const uint64_t word = sizeof(uint32_t);
    const uint64_t block = (2 * DM_BLOCK_ENTRIES + 2) * word; /* strengths, partners, next, owner */
    uint64_t most = concepts + concepts * ((episodes + DM_BLOCK_ENTRIES - 1) / DM_BLOCK_ENTRIES); /* more is refused later */
    uint64_t blocks = dm_snapshot_blocks(state);
    blocks = blocks > concepts ? blocks : concepts;
    blocks = blocks < most ? blocks : most;
    return bytes + (concepts + episodes) * sizeof(dm_links) + concepts * sizeof(uint64_t) + blocks * block + concepts * word +
           episodes * (DM_BLOCK_ENTRIES + 1) * word;
}

int32_t dm_snapshot_check_claim(const dm_loader *state, uint64_t bytes) {
    uint64_t limit = state->options.memory_limit;
    if (bytes > limit) {
        return dm_fail(DM_ERROR_MEMORY, state->error, state->error_size,
                       "%s: a store with capacity for %u concepts and %u episodes of %u floats takes %llu bytes or more, the limit is "
                       "%llu; if you trust the file, set memory_limit", state->path, state->header.concept_capacity,
                       state->header.episode_capacity, state->header.dim, (unsigned long long)bytes, (unsigned long long)limit);
    }
    return DM_OK;
}

/* --- all of it --------------------------------------------------------------------------------------------------------- */

static int32_t create(dm_loader *state) {
    const dm_store_options options = {
        .size = sizeof(options),
        .dim = state->header.dim,
        .concept_capacity = state->header.concept_capacity,
        .episode_capacity = state->header.episode_capacity,
        .single_type = (int32_t)state->header.single_type,
        .placement = state->options.placement,
        .numa = state->options.numa,
    };
    return dm_store_create(&options, &state->store, state->error, state->error_size);
}

static int32_t load(dm_loader *state) {
    dm_checksum checksum;
    int32_t status = map_file(state);
    if (status == DM_OK) {
        dm_checksum_begin(&checksum);
        status = check_header(state, &checksum);
    }
    if (status == DM_OK) {
        status = check_sections(state, &checksum);
    }
    if (status == DM_OK) {
        status = dm_snapshot_check_claim(state, claim(state));
    }
    if (status == DM_OK) {
        status = create(state);
    }
    return status == DM_OK ? dm_snapshot_fill(state) : status;
}

int32_t dm_store_load(const char *path, const dm_load_options *options, dm_store **store, char *error, size_t error_size) {
    *store = NULL;
    dm_loader state = {.path = path, .descriptor = -1, .error = error, .error_size = error_size};
    if (options != NULL && options->size != sizeof(*options)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "options of %zu bytes, this library knows %zu: set .size",
                       options->size, sizeof(*options));
    }
    if (options != NULL) {
        state.options = *options;
    }
    if (state.options.map_embeddings != 0 && state.options.map_embeddings != 1) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "map_embeddings %d is neither 0 nor 1",
                       state.options.map_embeddings);
    }
    if (state.options.memory_limit == 0) {
        state.options.memory_limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    int32_t status = load(&state);
    dm_memory_unmap_file(state.bytes, state.size);
    if (state.descriptor >= 0) {
        (void)close(state.descriptor);
    }
    if (status == DM_OK) {
        *store = state.store;
    } else {
        dm_store_destroy(state.store);
    }
    return status;
}
