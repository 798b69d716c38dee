# The player: what plays a trace against workloads, by several threads. Of the host it has what fits, unchanged: files, clock, histogram,
# events and the guards against libraries that misbehave.
add_library(dmp_parts STATIC
  player/crc32.c player/names.c player/trace.c player/library.c player/request.c player/crew.c
  player/perform.c)
target_include_directories(dmp_parts PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(dmp_parts PUBLIC dmx_host Threads::Threads)

add_executable(dualmem_player
  player/player.c player/stage.c player/plays.c player/report.c player/crash.c host/guard.c host/report.c)
set_target_properties(dualmem_player PROPERTIES OUTPUT_NAME dualmem-player)
target_link_libraries(dualmem_player PRIVATE dmp_parts)

if(SKBUILD)
  install(TARGETS dualmem_player RUNTIME DESTINATION dualmem_cli/_native)
endif()
