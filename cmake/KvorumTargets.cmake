# SPDX-License-Identifier: Apache-2.0
# kvorum_folder(base): the folder, if it has a CMakeLists.txt; the tree configures at any time.
function(kvorum_folder name)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/CMakeLists.txt)
    add_subdirectory(${name})
  else()
    message(STATUS "kvorum: folder ${name} has no CMakeLists.txt, left out")
  endif()
endfunction()

# All .cc files of this folder and of those of its folders that follow.
function(kvorum_sources result)
  set(patterns ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  foreach(room ${ARGN})
    list(APPEND patterns ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*.cc)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  set(${result} ${sources} PARENT_SCOPE)
endfunction()

# kvorum_library(base): all .cc files of this folder and of its ROOMS as kvorum_base, linked with
# what follows DEPENDS. A folder of headers alone becomes an INTERFACE library.
function(kvorum_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ROOMS;DEPENDS;SOURCES")
  if(NOT arg_SOURCES)
    kvorum_sources(arg_SOURCES ${arg_ROOMS})
  endif()
  if(arg_SOURCES)
    add_library(kvorum_${name} STATIC ${arg_SOURCES})
    target_link_libraries(kvorum_${name} PUBLIC kvorum_options ${arg_DEPENDS})
  else()
    add_library(kvorum_${name} INTERFACE)
    target_link_libraries(kvorum_${name} INTERFACE kvorum_options ${arg_DEPENDS})
  endif()
endfunction()

# kvorum_test(base): all .cc files of this folder and of its ROOMS as the program base_test.
function(kvorum_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ROOMS;DEPENDS")
  kvorum_sources(sources ${arg_ROOMS})
  if(NOT sources)
    message(STATUS "kvorum: no tests in tests/${name} yet")
    return()
  endif()
  add_executable(${name}_test ${sources})
  target_link_libraries(${name}_test PRIVATE ${arg_DEPENDS} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name}_test)
endfunction()
