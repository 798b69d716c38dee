# The host: what measures. One set of sources, built as the worker executable and as the cffi module.
set(host_flags -fno-semantic-interposition)
add_library(dmx_host STATIC host/open.c host/execute.c host/clock.c host/histogram.c host/matrix.c)
target_compile_options(dmx_host PRIVATE ${host_flags})
target_link_libraries(dmx_host PUBLIC ${CMAKE_DL_LIBS} m)

add_executable(dualmem_worker host/worker.c host/request.c host/answer.c)
set_target_properties(dualmem_worker PROPERTIES OUTPUT_NAME dualmem-worker)
target_link_libraries(dualmem_worker PRIVATE dmx_host)

if(DUALMEM_PYTHON)
  find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
  set(host_c ${CMAKE_CURRENT_BINARY_DIR}/generated/_host.c)
  set(host_headers ${CMAKE_CURRENT_SOURCE_DIR}/include/dualmem/dm_kernel.h ${CMAKE_CURRENT_SOURCE_DIR}/host/host.h)
  add_custom_command(OUTPUT ${host_c}
    COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/host/make_cffi.py ${host_c} ${host_headers}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/host/make_cffi.py ${host_headers} VERBATIM)
  python_add_library(dmx_cffi MODULE WITH_SOABI ${host_c})
  set_target_properties(dmx_cffi PROPERTIES OUTPUT_NAME _host)
  target_include_directories(dmx_cffi PRIVATE host)
  # Generated code is not ours to warn about.
  target_compile_options(dmx_cffi PRIVATE -w)
  target_link_libraries(dmx_cffi PRIVATE dmx_host)
endif()

if(SKBUILD)
  install(TARGETS dualmem_worker RUNTIME DESTINATION dualmem_cli/_native)
  install(TARGETS dmx_cffi LIBRARY DESTINATION dualmem_cli/_native)
endif()
