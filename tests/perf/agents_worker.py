"""The same conversation on livekit-agents, for comparison: same server, same
stand-ins, its defaults but for the end of a turn, which it is allowed to take
from the transcript at once. Run by agents.py with the other package's Python.
"""
import os

from livekit.agents import Agent, AgentSession, JobContext, JobProcess, WorkerOptions, cli
from livekit.plugins import deepgram, openai, silero

GREETING = "Thank you for calling Garden Street Dental. How can I help you?"


def prewarm(process: JobProcess) -> None:
    process.userdata["vad"] = silero.VAD.load()


async def entrypoint(ctx: JobContext) -> None:
    deepgram_url = os.environ["DEEPGRAM_URL"].replace("ws:", "http:")
    session = AgentSession(
        stt=deepgram.STT(model="nova-3", language="en", endpointing_ms=300,
                         base_url=deepgram_url + "/v1/listen"),
        llm=openai.LLM(model="gpt-6-luna", reasoning_effort="none",
                       base_url=os.environ["OPENAI_BASE_URL"]),
        tts=deepgram.TTS(model="aura-2-thalia-en", base_url=deepgram_url + "/v1/speak"),
        vad=ctx.proc.userdata["vad"],
        turn_handling={"turn_detection": "stt", "endpointing": {"min_delay": 0.0}},
    )
    await session.start(Agent(instructions="You answer the phone of a dental clinic. Be brief."),
                        room=ctx.room)
    await ctx.connect()
    await session.say(GREETING)


def no_load() -> float:
    """It would refuse calls while others use the machine."""
    return 0.0


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, prewarm_fnc=prewarm, load_fnc=no_load,
                              agent_name=os.environ["LIVEKIT_AGENT_NAME"],
                              port=int(os.environ["FRONTDESK_AGENTS_PORT"])))
