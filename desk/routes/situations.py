"""Coding the situation of a narrative, by which its danger level is reckoned."""

from fastapi import APIRouter

router = APIRouter()
