"""How each person is told, and what has been told to whom."""

from fastapi import APIRouter

router = APIRouter()
