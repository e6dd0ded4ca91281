/* CLOCK, also called second chance, as an eviction policy in C. The entries form a circle, around which a hand moves. An entry that
   was requested since the hand last passed it is spared once. The first entry that was not requested is the victim. */

#include "eviction_policy.h"

#include <stdlib.h>
#include <string.h>

typedef exports_media_cache_policy_eviction_description_t description_t;
typedef exports_media_cache_policy_eviction_entry_t entry_t;
typedef exports_media_cache_policy_eviction_list_entry_t entries_t;
typedef exports_media_cache_policy_eviction_event_t event_t;
typedef exports_media_cache_policy_eviction_list_event_t events_t;
typedef exports_media_cache_policy_eviction_list_entry_id_t ids_t;
typedef exports_media_cache_policy_eviction_placement_t placement_t;
typedef exports_media_cache_policy_eviction_own_policy_t own_policy_t;
typedef exports_media_cache_policy_eviction_policy_t clock_policy_t;
typedef eviction_policy_list_tuple2_string_string_t options_t;
typedef eviction_policy_string_t string_t;

enum { NOWHERE = UINT32_MAX, MAX_ENTRIES = 1 << 24 };

/* An entry. Ids are small and dense, so they are positions in an array. */
typedef struct {
    uint64_t size;
    uint32_t previous, next;
    bool tracked, visited;
} slot_t;

struct exports_media_cache_policy_eviction_policy_t {
    uint64_t capacity;
    slot_t *slots;
    uint32_t length;
    /* The entry that the hand points to. */
    uint32_t hand;
};

static void *must(void *memory) {
    if (!memory) abort();
    return memory;
}

static slot_t *find(const clock_policy_t *clock, uint64_t id) {
    return id < clock->length && clock->slots[id].tracked ? &clock->slots[id] : NULL;
}

static void untrack(clock_policy_t *clock, uint64_t id) {
    slot_t *slot = find(clock, id);
    if (!slot) return;
    slot->tracked = false;
    clock->slots[slot->previous].next = slot->next;
    clock->slots[slot->next].previous = slot->previous;
    if (clock->hand == id) clock->hand = slot->next == id ? NOWHERE : slot->next;
}

/* Inserts an entry right behind the hand, which therefore reaches it last. */
static void track(clock_policy_t *clock, const entry_t *entry) {
    if (entry->id >= MAX_ENTRIES) return;
    untrack(clock, entry->id);
    uint32_t id = (uint32_t)entry->id;
    if (id >= clock->length) {
        uint32_t length = clock->length ? clock->length : 64;
        while (length <= id) length *= 2;
        clock->slots = must(realloc(clock->slots, length * sizeof(slot_t)));
        for (uint32_t at = clock->length; at < length; at++) clock->slots[at].tracked = false;
        clock->length = length;
    }
    if (clock->hand == NOWHERE) {
        clock->slots[id] = (slot_t){entry->size, id, id, true, false};
        clock->hand = id;
        return;
    }
    uint32_t next = clock->hand, previous = clock->slots[next].previous;
    clock->slots[id] = (slot_t){entry->size, previous, next, true, false};
    clock->slots[previous].next = clock->slots[next].previous = id;
}

/* Moves the hand until enough space is free. */
static void evict(clock_policy_t *clock, uint64_t needed, ids_t *victims) {
    uint64_t freed = 0;
    size_t allocated = 0;
    *victims = (ids_t){NULL, 0};
    while (freed < needed && clock->hand != NOWHERE) {
        slot_t *slot = &clock->slots[clock->hand];
        if (slot->visited) {
            slot->visited = false;
            clock->hand = slot->next;
            continue;
        }
        if (victims->len == allocated) {
            allocated = allocated ? 2 * allocated : 8;
            victims->ptr = must(realloc(victims->ptr, allocated * sizeof(uint64_t)));
        }
        victims->ptr[victims->len++] = clock->hand;
        freed += slot->size;
        untrack(clock, clock->hand);
    }
}

static void observe(clock_policy_t *clock, events_t *events) {
    for (size_t at = 0; at < events->len; at++) {
        const event_t *event = &events->ptr[at];
        if (event->tag == EXPORTS_MEDIA_CACHE_POLICY_EVICTION_EVENT_REMOVED) {
            untrack(clock, event->val.removed);
            continue;
        }
        slot_t *slot = find(clock, event->val.accessed.id);
        if (slot) slot->visited = true;
    }
    exports_media_cache_policy_eviction_list_event_free(events);
}

void exports_media_cache_policy_eviction_describe(description_t *description) {
    eviction_policy_string_dup(&description->name, "clock");
    eviction_policy_string_dup(&description->version, "0.1.0");
    eviction_policy_string_dup(&description->doc, "CLOCK: evicts in the order of arrival, but spares once what was requested.");
    description->options.ptr = NULL;
    description->options.len = 0;
}

static void reject_option(const string_t *option, string_t *error) {
    static const char before[] = "clock has no option \"", after[] = "\"; it has none";
    size_t front = sizeof(before) - 1, back = sizeof(after) - 1;
    error->len = front + option->len + back;
    error->ptr = must(malloc(error->len));
    memcpy(error->ptr, before, front);
    memcpy(error->ptr + front, option->ptr, option->len);
    memcpy(error->ptr + front + option->len, after, back);
}

bool exports_media_cache_policy_eviction_static_policy_create(
    uint64_t capacity, options_t *options, own_policy_t *policy, string_t *error) {
    bool valid = options->len == 0;
    if (!valid) reject_option(&options->ptr[0].f0, error);
    eviction_policy_list_tuple2_string_string_free(options);
    if (!valid) return false;
    clock_policy_t *clock = must(malloc(sizeof(clock_policy_t)));
    *clock = (clock_policy_t){capacity, NULL, 0, NOWHERE};
    *policy = exports_media_cache_policy_eviction_policy_new(clock);
    return true;
}

void exports_media_cache_policy_eviction_policy_destructor(clock_policy_t *clock) {
    free(clock->slots);
    free(clock);
}

void exports_media_cache_policy_eviction_method_policy_restore(clock_policy_t *clock, entries_t *entries) {
    for (size_t at = 0; at < entries->len; at++) track(clock, &entries->ptr[at]);
    exports_media_cache_policy_eviction_list_entry_free(entries);
}

void exports_media_cache_policy_eviction_method_policy_observe(clock_policy_t *clock, events_t *events) {
    observe(clock, events);
}

void exports_media_cache_policy_eviction_method_policy_place(
    clock_policy_t *clock, events_t *events, entry_t *candidate, uint64_t needed, placement_t *placement) {
    observe(clock, events);
    if (candidate->size > clock->capacity) {
        placement->tag = EXPORTS_MEDIA_CACHE_POLICY_EVICTION_PLACEMENT_REFUSE;
        return;
    }
    placement->tag = EXPORTS_MEDIA_CACHE_POLICY_EVICTION_PLACEMENT_ADMIT;
    evict(clock, needed, &placement->val.admit);
    track(clock, candidate);
}

void exports_media_cache_policy_eviction_method_policy_evict(
    clock_policy_t *clock, events_t *events, uint64_t needed, ids_t *victims) {
    observe(clock, events);
    evict(clock, needed, victims);
}
