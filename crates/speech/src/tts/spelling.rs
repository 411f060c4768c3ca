//! How unknown words sound, from their letters: a small network.

use std::path::Path;

use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::cores::Cores;
use crate::error::{LoadError, NetError};
use crate::net::Net;

/// The letters the network knows, numbered from 1.
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz\
    ª²³µ¹º¼½¾ÀÁÂÃÄÅÆÇÉÊÌÍÎÏÑÒÓÔÕÖØÚÜÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿĀāĂăąĆćČčĎďĐđĒēĕĖėęěĝĞğġģīĭ\
    İıķļĽľŁłńņňŋŌōŏőŒœŘřŚśŞşŠšţťūŭŮůŰųŵźŻżŽžƒơưǎǐǒǔǚșțɑɒɓəɛʃʻˈΒΓΔΚΛΜΟΠΣΥΦΧΨΩάαβγδεηθκλμνξπρστυφχ\
    ψωАБВГДЕЖИКЛМНОПРСТФХШЬабвгдезиклмнопрстуфхцчшщыьэюяёԶաբգդեզիլկձղմյնոպտրւაევიკლმსშხṛ₁₂₃₄ₗﬀﬁﬂ";

/// The phonemes it answers with, numbered from 1; 0 is nothing.
const PHONEMES: &str = " ()-1AIOTWYabdfhijklmnpstuvwyzæðŋɑɔəɛɜɡɪɹʀʃʊʌʒʤʧˈˌθᵊᵻ";

/// Letters it takes at once.
const LONGEST: usize = 24;

#[derive(Debug)]
pub(super) struct Spelling {
    net: Net<1, 1>,
    letters: Vec<char>,
    phonemes: Vec<char>,
}

impl Spelling {
    pub(super) fn load(file: &Path, cores: &Cores) -> Result<Self, LoadError> {
        let net = Net::load("spelling", file, cores, ["chars"], ["ids"])?;
        let this =
            Self { net, letters: LETTERS.chars().collect(), phonemes: PHONEMES.chars().collect() };
        this.phonemes("Duet").map_err(|error| LoadError::unsuitable(file, error.reason))?;
        Ok(this)
    }

    /// The phonemes of `word`; nothing if none of its letters is known. Very long words are cut.
    pub(super) fn phonemes(&self, word: &str) -> Result<String, NetError> {
        let letters: Vec<i32> = word
            .chars()
            .filter_map(|c| self.letters.iter().position(|known| *known == c))
            .take(LONGEST)
            .map(|at| at as i32 + 1)
            .collect();
        if letters.is_empty() {
            return Ok(String::new());
        }
        let letters = NdTensor::from_data([1, letters.len()], letters);
        let [ids] = self.net.run([letters.view().into()])?;
        let ids: NdTensor<i32, 2> = ids.try_into().map_err(|error| self.net.failure(error))?;
        // Several answers per letter: a repeated one counts once, and 0 keeps two alike apart.
        let mut phonemes = String::new();
        let mut last = 0;
        for id in ids.iter().copied() {
            if id != last && id > 0 {
                phonemes.extend(self.phonemes.get(id as usize - 1));
            }
            last = id;
        }
        Ok(phonemes)
    }
}
